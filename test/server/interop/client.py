"""A polyglot caller: registers an agent, reports, watches and waits, with nothing but grpcio and a descriptor set.

Usage: client.py HOST:PORT DESCRIPTOR_SET AGENT_ID
Prints what it saw, one JSON value a line, and exits 0 when everything came as promised.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

target, descriptor_set, agent_id = sys.argv[1:4]

pool = descriptor_pool.DescriptorPool()
with open(descriptor_set, "rb") as file:
    for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        pool.Add(proto)

channel = grpc.insecure_channel(target)


def message_class(descriptor):
    """The class of a message, which older versions of the protobuf package have a factory for."""
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def call(kind, service, method, **fields):
    """Calls a method by its name; the fields are those of its request."""
    descriptor = pool.FindServiceByName(f"opscore.v1.{service}").FindMethodByName(method)
    request = message_class(descriptor.input_type)
    answer = message_class(descriptor.output_type)
    stub = getattr(channel, kind)(
        f"/opscore.v1.{service}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )
    return stub(json_format.ParseDict(fields, request()), timeout=20)


def show(message):
    print(json.dumps(json_format.MessageToDict(message, preserving_proto_field_name=True)), flush=True)


show(call("unary_unary", "AgentService", "RegisterAgent", agent_id=agent_id, labels={"lang": "python"}))
watch = call("unary_stream", "StateService", "WatchState", agent_ids=[agent_id], include_snapshot=True)
messages = iter(watch)
show(next(messages))
show(next(messages))
show(call("unary_unary", "StateService", "SetState", agent_id=agent_id, state="STATE_IDLE"))
show(next(messages))
show(call("unary_unary", "StateService", "WaitForState", agent_id=agent_id, states=["STATE_IDLE"]))
try:
    call("unary_unary", "StateService", "SetState", agent_id=agent_id, state="STATE_IDLE", expected_states=["STATE_ERROR"])
except grpc.RpcError as error:
    print(json.dumps({"code": error.code().name, "details": error.details()}), flush=True)
watch.cancel()
channel.close()
