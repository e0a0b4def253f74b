"""shelf.v1.Shelf on grpcio, without a trace of google.api.http, as most Python servers are: reflection is all it has.

server.py DESCRIPTORS IP:PORT, where the file is an encoded FileDescriptorSet and port 0 is any that is free.
Prints `listening PORT` and serves until it is killed.
"""

import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import timestamp_pb2  # noqa: F401: the pool must have it
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

SERVICE = "shelf.v1.Shelf"


def load(path):
    """Puts shelf.proto into the pool of generated code, stripped of its HTTP rules."""
    files = descriptor_pb2.FileDescriptorSet()
    with open(path, "rb") as descriptors:
        files.ParseFromString(descriptors.read())
    shelf = next(file for file in files.file if file.name == "shelf.proto")
    shelf.dependency.remove("google/api/annotations.proto")
    for method in shelf.service[0].method:
        method.ClearField("options")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(shelf.SerializeToString())
    return pool.FindServiceByName(SERVICE)


SHELF = load(sys.argv[1])


def message(name, /, **fields):
    descriptor = SHELF.file.message_types_by_name[name]
    return message_factory.GetMessageClass(descriptor)(**fields)


def get_book(request, context):
    if request.name.endswith("/none"):
        missing = error_details_pb2.ErrorInfo(
            reason="BOOK_MISSING", domain="shelf.example", metadata={"name": request.name}
        )
        detail = any_pb2.Any()
        detail.Pack(missing)
        status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="there is no such book", details=[detail])
        context.abort_with_status(rpc_status.to_status(status))
    book = message("Book", name=request.name, title="Emma", copies=2**53 + 1, tags=request.tags, genre=1)
    if request.HasField("printed"):
        book.printed.CopyFrom(request.printed)
    return book


def create_book(request, _context):
    request.book.name = f"{request.parent}/books/{request.book_id}"
    return request.book


def list_books(request, context):
    for number in range(request.count):
        yield message("Book", name=f"{request.parent}/books/{number}")
    if request.fails:
        context.abort(grpc.StatusCode.ABORTED, "the shelf fell")


def add_books(books, _context):
    titles = [book.title for book in books]
    return message("AddBooksResponse", count=len(titles), titles=titles)


class Waiting:
    """How many calls of Wait have begun and ended."""

    def __init__(self):
        self.changed = threading.Condition()
        self.begun = self.ended = 0

    def wait(self, _request, context):
        over = threading.Event()
        # False says that the call was over before.
        if not context.add_callback(over.set):
            over.set()
        with self.changed:
            self.begun += 1
            self.changed.notify_all()
        over.wait()
        with self.changed:
            self.ended += 1
            self.changed.notify_all()
        return message("WaitResponse")

    def calls(self, request, context):
        with self.changed:
            self.changed.wait_for(
                lambda: self.begun >= request.begun and self.ended >= request.ended, context.time_remaining()
            )
            return message("Calls", begun=self.begun, ended=self.ended)


def handler(method, function):
    handlers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
    }
    return handlers[method.client_streaming, method.server_streaming](
        function,
        request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


def main():
    waiting = Waiting()
    functions = {
        "GetBook": get_book,
        "CreateBook": create_book,
        "ListBooks": list_books,
        "AddBooks": add_books,
        "Wait": waiting.wait,
        "AwaitCalls": waiting.calls,
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    handlers = {method.name: handler(method, functions[method.name]) for method in SHELF.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    health_service = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable_server_reflection((SERVICE, health_service, reflection.SERVICE_NAME), server)
    port = server.add_insecure_port(sys.argv[2])
    server.start()
    print("listening", port, flush=True)
    server.wait_for_termination()


main()
