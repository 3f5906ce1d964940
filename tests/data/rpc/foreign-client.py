#!/usr/bin/python3
"""A client in another language that knows nothing but the address: it learns the contracts by reflection, asks for health and
reads the details of an error. usage: foreign-client.py ADDRESS (of the server in test-services.c)"""
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

channel = grpc.insecure_channel(sys.argv[1], options=[("grpc.enable_http_proxy", 0)])
pool = descriptor_pool.DescriptorPool()
REFLECTION = "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo"


def field(number, data):
    """A length-delimited protobuf field with a short payload."""
    return bytes([number << 3 | 2, len(data)]) + data


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def find(data, number):
    """The payload of the length-delimited field <number> of a message that has no other kinds of fields."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        size, at = varint(data, at)
        if tag == number << 3 | 2:
            return data[at : at + size]
        at += size
    raise KeyError(number)


def reflect(version, *requests):
    call = channel.stream_stream(REFLECTION % version)
    return list(call(iter(requests), timeout=20))


def learn(version):
    """Loads reflection's own file through its symbol: the answer is read by hand, the rest with what it says."""
    symbol = f"grpc.reflection.{version}.ServerReflectionResponse".encode()
    (answer,) = reflect(version, field(4, symbol))
    file = descriptor_pb2.FileDescriptorProto.FromString(find(find(answer, 4), 1))
    assert file.package == f"grpc.reflection.{version}", file.package
    pool.Add(file)


def message(name):
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(name))


def add_file(name):
    """Adds a file to the pool, after those that it imports."""
    response = message("grpc.reflection.v1.ServerReflectionResponse")
    request = message("grpc.reflection.v1.ServerReflectionRequest")
    (answer,) = reflect("v1", request(file_by_filename=name).SerializeToString())
    (data,) = response.FromString(answer).file_descriptor_response.file_descriptor_proto
    file = descriptor_pb2.FileDescriptorProto.FromString(data)
    for other in file.dependency:
        try:
            pool.FindFileByName(other)
        except KeyError:
            add_file(other)
    pool.Add(file)


learn("v1alpha")
learn("v1")
response = message("grpc.reflection.v1.ServerReflectionResponse")
request = message("grpc.reflection.v1.ServerReflectionRequest")
services, unknown = reflect(
    "v1",
    request(list_services="").SerializeToString(),
    request(file_containing_symbol="no.Such").SerializeToString(),
)
names = [service.name for service in response.FromString(services).list_services_response.service]
assert names == sorted(names) and "cleat.v1.Pods" in names and "grpc.health.v1.Health" in names, names
assert response.FromString(unknown).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

add_file("foreign/grpc/health.proto")
add_file("foreign/grpc/status.proto")
add_file("cleat/v1/core.proto")
check = channel.unary_unary("/grpc.health.v1.Health/Check")
assert message("grpc.health.v1.HealthCheckResponse").FromString(check(b"", timeout=20)).status == 1
methods = [method.name for method in pool.FindServiceByName("cleat.v1.Pods").methods]
assert "Bind" in methods, methods

try:
    channel.unary_unary("/cleat.v1.Pods/Get")(b"", timeout=20)
    raise AssertionError("Get should fail")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error
    assert error.details() == 'pods "web" not found', error
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    outer = message("grpc.status.Status").FromString(details)
    assert outer.code == 5 and outer.details[0].type_url == "type.googleapis.com/meta.v1.Status", outer
    status = message("meta.v1.Status").FromString(outer.details[0].value)
    assert (status.reason, status.code, status.details.name) == ("NotFound", 404, "web"), status
print("ok")
