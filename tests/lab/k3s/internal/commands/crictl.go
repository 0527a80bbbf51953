package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"meshwright.invalid/lab/k3s/internal/agent"
	"meshwright.invalid/lab/k3s/internal/server"
)

// crictl is a small client of the container runtime: its own program cannot be linked into another one.
func crictl(arguments []string) error {
	if len(arguments) == 0 || arguments[0] == "--version" || arguments[0] == "-v" {
		fmt.Printf("crictl version %s\n", server.Version)
		return nil
	}
	connection, err := grpc.NewClient("unix://"+agent.ContainerdSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := criClient{cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection)}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	verb, rest := arguments[0], operands(arguments[1:])
	run, ok := map[string]func(context.Context, []string) error{
		"version": client.version, "info": client.info, "ps": client.ps, "pods": client.pods, "images": client.images,
		"pull": client.pull, "rmi": client.rmi, "stop": client.stop, "rm": client.rm, "stopp": client.stopPod, "rmp": client.rmPod,
		"inspect": client.inspect, "inspectp": client.inspectPod,
	}[verb]
	if !ok {
		return fmt.Errorf("crictl %s is not part of this stand-in for k3s", verb)
	}
	return run(ctx, rest)
}

func operands(arguments []string) []string {
	var found []string
	for _, argument := range arguments {
		if !strings.HasPrefix(argument, "-") {
			found = append(found, argument)
		}
	}
	return found
}

type criClient struct {
	runtime cri.RuntimeServiceClient
	image   cri.ImageServiceClient
}

func show(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func table(rows [][]string) error {
	writer := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(writer, strings.Join(row, "\t"))
	}
	return writer.Flush()
}

func (c criClient) version(ctx context.Context, _ []string) error {
	found, err := c.runtime.Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return err
	}
	fmt.Printf("Version:  %s\nRuntimeName:  %s\nRuntimeVersion:  %s\nRuntimeApiVersion:  %s\n",
		found.Version, found.RuntimeName, found.RuntimeVersion, found.RuntimeApiVersion)
	return nil
}

func (c criClient) info(ctx context.Context, _ []string) error {
	found, err := c.runtime.Status(ctx, &cri.StatusRequest{Verbose: true})
	if err != nil {
		return err
	}
	return show(found)
}

func (c criClient) ps(ctx context.Context, _ []string) error {
	found, err := c.runtime.ListContainers(ctx, &cri.ListContainersRequest{})
	if err != nil {
		return err
	}
	rows := [][]string{{"CONTAINER", "STATE", "NAME", "ATTEMPT", "POD ID", "POD"}}
	for _, one := range found.Containers {
		rows = append(rows, []string{
			one.Id[:13], strings.TrimPrefix(one.State.String(), "CONTAINER_"), one.Metadata.Name, fmt.Sprint(one.Metadata.Attempt),
			one.PodSandboxId[:13], one.Labels["io.kubernetes.pod.name"],
		})
	}
	return table(rows)
}

func (c criClient) pods(ctx context.Context, _ []string) error {
	found, err := c.runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return err
	}
	rows := [][]string{{"POD ID", "STATE", "NAME", "NAMESPACE", "ATTEMPT"}}
	for _, one := range found.Items {
		rows = append(rows, []string{
			one.Id[:13], strings.TrimPrefix(one.State.String(), "SANDBOX_"), one.Metadata.Name, one.Metadata.Namespace,
			fmt.Sprint(one.Metadata.Attempt),
		})
	}
	return table(rows)
}

func (c criClient) images(ctx context.Context, _ []string) error {
	found, err := c.image.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	rows := [][]string{{"IMAGE", "IMAGE ID", "SIZE"}}
	for _, one := range found.Images {
		for _, name := range one.RepoTags {
			rows = append(rows, []string{name, one.Id, fmt.Sprint(one.Size)})
		}
	}
	return table(rows)
}

func (c criClient) pull(ctx context.Context, names []string) error {
	for _, name := range names {
		found, err := c.image.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: name}})
		if err != nil {
			return err
		}
		fmt.Printf("Image is up to date for %s\n", found.ImageRef)
	}
	return nil
}

func (c criClient) rmi(ctx context.Context, names []string) error {
	for _, name := range names {
		if _, err := c.image.RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: name}}); err != nil {
			return err
		}
		fmt.Printf("Deleted: %s\n", name)
	}
	return nil
}

func (c criClient) stop(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := c.runtime.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: id}); err != nil {
			return err
		}
		fmt.Println(id)
	}
	return nil
}

func (c criClient) rm(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := c.runtime.RemoveContainer(ctx, &cri.RemoveContainerRequest{ContainerId: id}); err != nil {
			return err
		}
		fmt.Println(id)
	}
	return nil
}

func (c criClient) stopPod(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := c.runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
			return err
		}
		fmt.Println("Stopped sandbox", id)
	}
	return nil
}

func (c criClient) rmPod(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := c.runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id}); err != nil {
			return err
		}
		fmt.Println("Removed sandbox", id)
	}
	return nil
}

func (c criClient) inspect(ctx context.Context, ids []string) error {
	for _, id := range ids {
		found, err := c.runtime.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: id, Verbose: true})
		if err != nil {
			return err
		}
		if err := show(found); err != nil {
			return err
		}
	}
	return nil
}

func (c criClient) inspectPod(ctx context.Context, ids []string) error {
	for _, id := range ids {
		found, err := c.runtime.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
		if err != nil {
			return err
		}
		if err := show(found); err != nil {
			return err
		}
	}
	return nil
}
