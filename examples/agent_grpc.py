"""An agent that takes tasks, in Python over gRPC, with nothing but grpcio and protobuf (`pip install grpcio protobuf`).

It does what the TypeScript client does for its users: it registers, watches its tasks, renews their leases, says ACTIVE and IDLE, and
answers each attempt once. When the stream breaks off it goes on after the last resume token. At its end, on Ctrl-C too, it reports
FINISHED: then it gets no more tasks, and one that it has not answered goes to another agent.

The server needs no settings for it. Where it has an OPSCORE_API_KEY, the agent reads it from the variable of the same name.
"""

import argparse
import os
import signal
import threading

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("target", metavar="HOST:PORT", help="where the server is, such as 127.0.0.1:8080")
parser.add_argument(
    "descriptor_set",
    metavar="DESCRIPTOR_SET",
    help="a file that describes the API: `npx buf build proto --output opscore.binpb` makes it",
)
parser.add_argument("limit", metavar="TASKS", type=int, nargs="?", help="end after so many tasks; by default on Ctrl-C only")
options = parser.parse_args()

# Only now: whoever asks how to call this may not have installed them yet.
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

AGENT_ID = "python-agent"
LEASE_TTL_S = 10

limit = options.limit
metadata = [("authorization", f"Bearer {os.environ['OPSCORE_API_KEY']}")] if "OPSCORE_API_KEY" in os.environ else []

pool = descriptor_pool.DescriptorPool()
with open(options.descriptor_set, "rb") as file:
    for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        pool.Add(proto)
channel = grpc.insecure_channel(options.target)


def message_class(descriptor):
    """The class of a message, which older versions of the protobuf package have a factory for."""
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def call(service, method, timeout=10, kind="unary_unary", **fields):
    """Calls a method by its name; the fields are those of its request. Answers with the message, or an iterator of messages."""
    descriptor = pool.FindServiceByName(f"opscore.v1.{service}").FindMethodByName(method)
    request = message_class(descriptor.input_type)
    answer = message_class(descriptor.output_type)
    stub = getattr(channel, kind)(
        f"/opscore.v1.{service}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )
    return stub(json_format.ParseDict(fields, request()), timeout=timeout, metadata=metadata)


def report(state, **fields):
    call("StateService", "SetState", agent_id=AGENT_ID, incarnation=incarnation, state=state, **fields)


def work(parameters):
    """The work itself."""
    return {"said": parameters["message"].upper()}


def every(seconds, stopped, action):
    """Acts again and again on a thread of its own, until `stopped` is set or the server refuses."""

    def run():
        while not stopped.wait(seconds):
            try:
                action()
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    continue
                return

    threading.Thread(target=run, daemon=True).start()


def take(task):
    """Works on one attempt. The attempt number is the fence: an answer of an older one is refused."""
    key = {"session_id": task.session_id, "task_id": task.task_id, "attempt": task.attempt}
    print(f"{task.task_id}, attempt {task.attempt}", flush=True)
    over = threading.Event()
    # A lease is 30 s; it is renewed after a third.
    every(10, over, lambda: call("TaskService", "RenewTask", **key))
    report("STATE_ACTIVE", session_id=task.session_id, task_id=task.task_id)
    try:
        result = work(json_format.MessageToDict(task.parameters))
    except Exception as error:
        call("TaskService", "FailTask", reason=type(error).__name__, error=str(error), **key)
    else:
        call("TaskService", "CompleteTask", result=result, **key)
    finally:
        over.set()
    report("STATE_IDLE")


# Who is told to stop says goodbye first, like one that is interrupted.
for signal_number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signal_number, signal.default_int_handler)

agent = call(
    "AgentService",
    "RegisterAgent",
    agent_id=AGENT_ID,
    capabilities=["sample"],
    lease_ttl=f"{LEASE_TTL_S}s",
    task_delivery="TASK_DELIVERY_STREAM",
    initial_state="STATE_IDLE",
).agent
incarnation = agent.incarnation
every(LEASE_TTL_S / 3, threading.Event(), lambda: call("AgentService", "Heartbeat", agent_id=AGENT_ID, incarnation=incarnation))

try:
    token = ""
    seen = set()
    while limit is None or len(seen) < limit:
        try:
            for message in call(
                "TaskService",
                "WatchTasks",
                kind="unary_stream",
                timeout=None,
                agent_id=AGENT_ID,
                agent_incarnation=incarnation,
                include_snapshot=True,
                resume_token=token,
            ):
                tasks = list(message.tasks) + [event.task for event in message.events]
                for task in tasks:
                    attempt = (task.session_id, task.task_id, task.attempt)
                    # LEASED is 3. An attempt may be seen twice: in the snapshot and as an event.
                    if task.status == 3 and attempt not in seen:
                        seen.add(attempt)
                        take(task)
                token = message.resume_token or token
                if limit is not None and len(seen) >= limit:
                    break
        except grpc.RpcError as error:
            # What was watched so far counts; anything but a server that is away is a mistake.
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            threading.Event().wait(1)
except KeyboardInterrupt:
    pass
finally:
    report("STATE_FINISHED")
    channel.close()
