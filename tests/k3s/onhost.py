"""Small programs that run on a host under test, with nothing but its Python."""

from __future__ import annotations

# One HTTP(S) request; the arguments are one JSON object. Prints the status and the body, or why there is no answer.
REQUEST = """
import base64, json, ssl, sys, urllib.error, urllib.request
q = json.loads(sys.argv[1])
context = ssl.create_default_context(cafile=q.get("ca"))
if not q.get("ca"):
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
if q.get("cert"):
    context.load_cert_chain(q["cert"], q["key"])
data = q["body"].encode() if q.get("body") is not None else None
request = urllib.request.Request(q["url"], data=data, headers=q.get("headers", {}))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
try:
    with opener.open(request, timeout=5) as answer:
        print(json.dumps({"status": answer.status, "body": answer.read().decode(errors="replace")}))
except urllib.error.HTTPError as error:
    print(json.dumps({"status": error.code, "body": error.read().decode(errors="replace")}))
except OSError as error:
    print(json.dumps({"error": str(error)}))
"""

# Processes whose command line has the given text: pid and start time, which together name one process for good.
PROCESSES = """
import os, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        line = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\\0", b" ").decode(errors="replace")
        stat = open(f"/proc/{pid}/stat").read()
    except OSError:
        continue
    if sys.argv[1] in line and int(pid) != os.getpid() and "python3" not in line:
        print(pid, stat.rpartition(")")[2].split()[19])
"""

# A registry that has nothing: it writes down what it is asked for.
REGISTRY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[2], "a") as log:
            log.write(self.path + "\\n")
        self.send_response(200 if self.path.split("?")[0] == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_HEAD = do_GET
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# Ends what a stopped k3s has left running (its pods, by design) and lets go of their mounts.
END_PODS = """
import os, signal, subprocess, time
def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read()
            stat = open(f"/proc/{pid}/stat").read()
        except OSError:
            continue
        shim = b"containerd-shim" in line.split(b"\\0")[0] and b"/k3s/" in line
        yield int(pid), int(stat.rpartition(")")[2].split()[1]), shim
def left():
    seen = list(processes())
    ends = {pid for pid, parent, shim in seen if shim}
    while more := {pid for pid, parent, shim in seen if parent in ends} - ends:
        ends |= more
    return ends
deadline = time.monotonic() + 10
while (pids := left()) and time.monotonic() < deadline:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    time.sleep(0.1)
mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
below = ("/run/k3s/", "/var/lib/kubelet/", "/var/lib/rancher/", "/run/netns/cni-")
for mount in sorted((m for m in mounts if m.startswith(below)), reverse=True):
    subprocess.run(["umount", "-l", mount], check=False, stderr=subprocess.DEVNULL)
"""
