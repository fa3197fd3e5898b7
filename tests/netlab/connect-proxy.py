# SPDX-License-Identifier: GPL-3.0-or-later
"""connect-proxy.py ADDRESS PORT: an HTTP proxy that knows CONNECT (RFC 9110, 9.3.6) and nothing
else, as offices have them. It ends with its standard input."""
import asyncio
import sys

MAX_HEADER_BYTES = 8192


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def serve(reader, writer):
    other = None
    try:
        header = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        verb, target, _ = header.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        host, port = target.rsplit(":", 1)
        if verb != "CONNECT":
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            there, other = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), 10)
        except (OSError, asyncio.TimeoutError):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, other), pump(there, writer))
    except (OSError, ValueError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
        pass
    finally:
        for end in (writer, other):
            if end is not None:
                end.close()


async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]), limit=MAX_HEADER_BYTES)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
