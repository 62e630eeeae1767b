"""An agent that takes tasks, in Python over plain HTTP, with nothing but the standard library.

It tells the server where it listens, takes each task as a signed POST, and answers by its reports: `active` with the task's id, then
`idle`, which completes the task, or `error`, which fails it. At its end, on Ctrl-C too, it reports `finished`: then no more tasks are
sent to it, and one that it has not answered goes to another agent.

What the server must be told at its start:
- OPSCORE_OUTBOUND_SECRET: the SECRET. Without it the server brings no tasks to agents' endpoints.
- OPSCORE_OUTBOUND_ALLOW_PRIVATE=true: this agent listens on 127.0.0.1, which a server does not send to otherwise.
Where the server has an OPSCORE_API_KEY, the agent reads it from the variable of the same name.
"""

import argparse
import datetime
import hashlib
import hmac
import http.server
import json
import os
import queue
import signal
import threading
import time
import urllib.request

AGENT_ID = "http-agent"
MAX_AGE_S = 300

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("server_url", metavar="SERVER_URL", help="where the server is, such as http://127.0.0.1:8080")
parser.add_argument("secret", metavar="SECRET", help="the server's OPSCORE_OUTBOUND_SECRET")
parser.add_argument("limit", metavar="TASKS", type=int, nargs="?", help="end after so many tasks; by default on Ctrl-C only")
options = parser.parse_args()
server_url, secret, limit = options.server_url.rstrip("/"), options.secret, options.limit
tasks = queue.Queue()

headers = {"Content-Type": "application/json"}
if "OPSCORE_API_KEY" in os.environ:
    headers["Authorization"] = f"Bearer {os.environ['OPSCORE_API_KEY']}"


def post(path, body):
    request = urllib.request.Request(server_url + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def report(state, details):
    timestamp = datetime.datetime.now(datetime.timezone.utc).isoformat()
    body = {"agentId": AGENT_ID, "timestamp": timestamp, "state": state, "details": details}
    post(f"/v1/opscore/agent/{AGENT_ID}/state", body)


def is_signed(headers, body):
    """Whether the request comes from who knows the secret, and came just now."""
    timestamp = headers.get("X-OpsCore-Timestamp", "")
    signature = headers.get("X-OpsCore-Signature", "")
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    is_fresh = timestamp.isdigit() and abs(time.time() - int(timestamp)) <= MAX_AGE_S
    return is_fresh and hmac.compare_digest(signature, expected)


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not is_signed(self.headers, body):
            self.send_response(401)
        else:
            request = json.loads(body)
            # 202 takes the task on; what comes of it is reported. A task that is called off is `task.cancelled`.
            if request["event"] == "task.leased":
                tasks.put(request["task"])
            self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing: what matters is printed below."""


def work(parameters):
    """The work itself."""
    return {"said": parameters["message"].upper()}


door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
door.daemon_threads = True
threading.Thread(target=door.serve_forever, daemon=True).start()

# Who is told to stop says goodbye first, like one that is interrupted.
for signal_number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signal_number, signal.default_int_handler)

# Any call of the API is a POST of JSON. Without a lease the agent never expires; an agent that has one calls Heartbeat.
post(
    "/opscore.v1.AgentService/RegisterAgent",
    {
        "agentId": AGENT_ID,
        "displayName": "Sampler",
        "capabilities": ["sample"],
        "contactEndpoint": f"http://127.0.0.1:{door.server_port}/tasks",
        "taskDelivery": "TASK_DELIVERY_ENDPOINT",
        "initialState": "STATE_IDLE",
    },
)

try:
    done = 0
    while limit is None or done < limit:
        task = tasks.get()
        print(f"{task['taskId']}, attempt {task['attempt']}", flush=True)
        about = {"opscore_session_id": task["sessionId"], "opscore_task_id": task["taskId"]}
        report("active", about)
        try:
            result = work(task.get("parameters", {}))
        except Exception as error:
            report("error", {**about, "message": str(error)})
            report("idle", {})
        else:
            report("idle", {**about, "result": result})
        done += 1
except KeyboardInterrupt:
    pass
finally:
    report("finished", {})
