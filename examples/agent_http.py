"""An agent that takes tasks, in Python over plain HTTP, with nothing but the standard library.

Usage: agent_http.py SERVER_URL SECRET [TASKS]

It tells the server where it listens, takes each task as a signed POST, and answers by its reports: `active` with the task's id, then
`idle`, which completes the task, or `error`, which fails it. SECRET is the server's OPSCORE_OUTBOUND_SECRET. The agent ends after so many
TASKS, or never.
"""

import datetime
import hashlib
import hmac
import http.server
import json
import queue
import sys
import threading
import time
import urllib.request

AGENT_ID = "http-agent"
MAX_AGE_S = 300

server_url, secret = sys.argv[1:3]
limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
tasks = queue.Queue()


def post(path, body):
    request = urllib.request.Request(
        server_url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
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
