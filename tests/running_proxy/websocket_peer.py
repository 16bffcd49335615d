"""A WebSocket service and its client, as the library `websockets` has them: `websocket_peer.py serve` prints its port,
`websocket_peer.py call ADDRESS [CA]` says what is wrong, or `ok`."""

import asyncio
import ssl
import sys

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

LARGE = 2**20


async def echo(socket):
    """Sends everything back; the text `bye` ends the connection with a code of its own."""
    async for message in socket:
        if message == "bye":
            await socket.close(4001, "as asked")
            return
        await socket.send(message)


async def serving():
    async with serve(echo, "127.0.0.1", 0, subprotocols=["shop.v1"], max_size=4 * LARGE) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


async def calling(address, authority):
    host, port = address.rsplit(":", 1)
    tls = ssl.create_default_context(cafile=authority) if authority else None
    url = f"{'wss' if tls else 'ws'}://shop.example/chat"
    where = {"host": host, "port": int(port), "ssl": tls}
    async with connect(url, subprotocols=["shop.v1"], max_size=4 * LARGE, **where) as socket:
        assert socket.subprotocol == "shop.v1", socket.subprotocol
        for message in ["text", "caf\u00e9", b"", bytes(range(256)), "x" * LARGE, b"\0" * LARGE]:
            await socket.send(message)
            assert await socket.recv() == message, f"{len(message)} came back changed"
        # Fragments are one message, and a ping is answered by the other end.
        await socket.send(iter(["one ", "two ", "three"]))
        assert await socket.recv() == "one two three"
        await asyncio.wait_for(await socket.ping(), 5)
        await asyncio.gather(*(socket.send(str(number)) for number in range(500)))
        assert {await socket.recv() for _ in range(500)} == {str(number) for number in range(500)}
        await socket.send("bye")
        try:
            await socket.recv()
            raise AssertionError("it is still open")
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as asked"), closed


if sys.argv[1] == "serve":
    asyncio.run(serving())
else:
    asyncio.run(calling(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
    print("ok")
