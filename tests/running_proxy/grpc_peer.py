"""A gRPC service and its client, as Google's own library has them: `grpc_peer.py serve` prints its port,
`grpc_peer.py call ADDRESS` says what is wrong, or `ok`."""

import sys
import time
from concurrent import futures

import grpc


def echo(request, context):
    assert dict(context.invocation_metadata())["x-asked"] == "yes"
    context.send_initial_metadata((("x-head", "begin"),))
    context.set_trailing_metadata((("x-trailer", "end"),))
    return request


def count(request, _context):
    for number in range(int(request)):
        yield str(number).encode()


def collect(requests, _context):
    return b"".join(requests)


def chat(requests, _context):
    for request in requests:
        yield request[::-1]


def slow(_request, context):
    time.sleep(3)
    return b""


def fail(_request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 5 % of it")


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("mesh.Peer", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination(timeout=60)


def call(address):
    with grpc.insecure_channel(address) as channel:
        asked = (("x-asked", "yes"),)
        answer, done = channel.unary_unary("/mesh.Peer/Echo").with_call(b"hello", metadata=asked, timeout=10)
        assert answer == b"hello", answer
        assert dict(done.initial_metadata())["x-head"] == "begin", done.initial_metadata()
        assert dict(done.trailing_metadata())["x-trailer"] == "end", done.trailing_metadata()
        large = b"x" * 3_000_000
        answer = channel.unary_unary("/mesh.Peer/Echo")(large, metadata=asked, timeout=10)
        assert answer == large, len(answer)
        numbers = list(channel.unary_stream("/mesh.Peer/Count")(b"500", timeout=10))
        assert numbers == [str(number).encode() for number in range(500)], len(numbers)
        parts = [str(number).encode() for number in range(500)]
        assert channel.stream_unary("/mesh.Peer/Collect")(iter(parts), timeout=10) == b"".join(parts)

        # One message each way at a time: nothing is held back until there is more.
        said = []

        def asks():
            for turn in (b"ab", b"cd", b"ef"):
                yield turn
                while len(said) == 0 or said[-1] != turn[::-1]:
                    time.sleep(0.01)

        for answer in channel.stream_stream("/mesh.Peer/Chat")(asks(), timeout=10):
            said.append(answer)
        assert said == [b"ba", b"dc", b"fe"], said
        refused = (grpc.StatusCode.FAILED_PRECONDITION, "not today: 5 % of it")
        assert failure(channel, "Fail", 10) == refused
        assert failure(channel, "Unknown", 10)[0] == grpc.StatusCode.UNIMPLEMENTED
        began = time.monotonic()
        late = failure(channel, "Slow", 0.5)
        # The client gives up at the moment at which the proxy answers 504, which is 14 to clients of gRPC.
        of_proxy = (grpc.StatusCode.UNAVAILABLE, "upstream request timeout")
        assert late[0] == grpc.StatusCode.DEADLINE_EXCEEDED or late == of_proxy, late
        assert time.monotonic() - began < 2.5
    print("ok")


def failure(channel, method, timeout):
    """Code and details of a call that fails."""
    try:
        channel.unary_unary(f"/mesh.Peer/{method}")(b"", timeout=timeout)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError(f"{method} was answered")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        call(sys.argv[2])
