"""A TCP proxy, which tells whom it accepted and as whom it went on."""

from __future__ import annotations

import socket
import sys

from tests.whole import servers
from tests.whole.fleet import Running

# For each client it says where that came from, as it accepted it, and where it came
# from itself as it went on. A program of its own: a driver in C may keep all our
# threads from running while it waits.
PROXY = """
import asyncio, sys
host, there = sys.argv[1], int(sys.argv[2])
def written(name):
    return ("[%s]:%d" if ":" in name[0] else "%s:%d") % name[:2]
async def pass_on(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
    finally:
        writer.close()
async def accept(reader, writer):
    onward = await asyncio.open_connection("127.0.0.1", there)
    near = written(writer.get_extra_info("peername"))
    print(near, written(onward[1].get_extra_info("sockname")), flush=True)
    await asyncio.gather(pass_on(reader, onward[1]), pass_on(onward[0], writer))
async def main():
    server = await asyncio.start_server(accept, host, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Proxy(Running):
    """A proxy between its own port and a server's."""

    def __init__(self, server: servers.Server, host: str) -> None:
        """Listen on any port of ``host``."""
        super().__init__([sys.executable, "-c", PROXY, host, str(server.port)])
        self.port = int(self.out.until(lambda line: True))

    def accepted(self, address: str) -> str:
        """Whom the server sees with this address of the proxy's, as we accepted him."""
        return self.out.until(lambda line: line.endswith(f" {address}")).split()[0]


def can_listen(host: str) -> bool:
    """Whether this machine has that address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, 0), family=family).close()
    except OSError:
        return False
    return True
