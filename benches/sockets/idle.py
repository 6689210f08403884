#!/usr/bin/env python3
"""What an idle WebSocket costs the server, in bytes of its own memory.

    cargo build --release && benches/sockets/idle.py target/release/resync

Starts `resync serve` without an engine in a folder of its own, opens sockets by an API key, and compares what
the process holds alone (Private_Dirty of /proc/PID/smaps_rollup) with what it held at 200 sockets. Exits with 1
above the goal. Linux; what the kernel keeps for a connection is not counted.
"""

import base64
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

GOAL = 12 * 1024
STEP = 1000
FIRST = 200


def held(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return 1024 * sum(int(found) for found in re.findall(r"Private_Dirty:\s+(\d+)", file.read()))


def opened(port, key):
    line = socket.create_connection(("127.0.0.1", port))
    nonce = base64.b64encode(os.urandom(16)).decode()
    head = (
        "GET /api/v1/ws/chat HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {nonce}",
        "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {key}",
    )
    line.sendall("\r\n".join((*head, "", "")).encode())
    got = b""
    while b'"ready"' not in got:
        more = line.recv(4096)
        if not more:
            raise SystemExit(f"not opened: {got.decode()}")
        got += more
    return line


def main():
    resync = os.path.abspath(sys.argv[1])
    soft = min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "AUTH_SECRET_KEY": "a secret of more than thirty-two bytes",
            "RESYNC_SERVER_DATA_DIR": os.path.join(folder, "data"),
            "RESYNC_AUTH_BCRYPT_COST": "4",
            "RESYNC_LOG_FORMAT": "json",
            "RESYNC_WS_MAX_CONNECTIONS_PER_USER": "9000",
            "RESYNC_LIMITS_API": "100000",
        }

        def command(*typed, stdin=None):
            done = subprocess.run(
                (resync, *typed), input=stdin, env=environment, cwd=folder, check=True, capture_output=True, text=True
            )
            return done.stdout.strip()

        server = subprocess.Popen(
            (resync, "serve", "--listen", "127.0.0.1:0"), env=environment, cwd=folder, stderr=subprocess.PIPE, text=True
        )
        try:
            for line in server.stderr:
                found = re.search(r'"address":"127\.0\.0\.1:(\d+)"', line)
                if found:
                    port = int(found[1])
                    break
            command("user", "add", "olga", "--role", "viewer", "--password-stdin", stdin="correct horse battery\n")
            key = command("key", "create", "olga", "--name", "bench", "--scope", "chat.use")
            lines = [opened(port, key) for _ in range(FIRST)]
            time.sleep(2)
            before, worst = held(server.pid), 0
            for round_number in (1, 2, 3):
                lines += [opened(port, key) for _ in range(STEP)]
                time.sleep(2)
                each = (held(server.pid) - before) // (round_number * STEP)
                worst = max(worst, each)
                print(f"{round_number * STEP} idle sockets: {each} bytes each")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    if worst > GOAL:
        raise SystemExit(f"the goal is {GOAL} bytes")


if __name__ == "__main__":
    main()
