"""Run: the only room with threads, sockets and clocks. Sessions, their pacer, the watchdog, and the runner that leads them."""
