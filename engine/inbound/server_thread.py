"""A mail server's event loop on a thread of its own."""

import asyncio
import threading
from collections.abc import Callable


class ServerThread:
    """Runs one server of asyncio on a daemon thread; it is started once and stopped once."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)

    def start(self, protocol: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> int:
        """Listen and return the port, any free one for 0. Raise OSError if it is taken."""
        try:
            self._server = self.loop.run_until_complete(self.loop.create_server(protocol, host, port))
        except OSError:
            self.loop.close()
            raise
        self._thread.start()
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Close the port and all connections."""
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _close(self) -> None:
        self._server.close()
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await self.loop.shutdown_default_executor()
