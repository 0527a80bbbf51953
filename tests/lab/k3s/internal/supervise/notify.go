package supervise

import (
	"net"
	"os"
)

var socket string

// TakeNotifySocket keeps systemd's socket from the children, whose parts would announce themselves on it.
func TakeNotifySocket() {
	socket = os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET")
}

// Ready tells systemd that k3s is up.
func Ready() {
	if socket == "" {
		return
	}
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer connection.Close()
	_, _ = connection.Write([]byte("READY=1\n"))
}
