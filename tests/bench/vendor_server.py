"""
The vendor's API as a process of its own, whose pages are ready bytes: vendor_server.py USERS OURS [shuffled]. It says its URL, then
takes a line with seconds of latency at a time, and answers each; it ends with its input.
"""
import random
import re
import socket
import subprocess
import sys
import threading
import time

from vendor_people import their_users

PAGE = 1000
WANTED = re.compile(rb"GET /api/v1/users\?(?:\S*&)?page=(\d+)\S* HTTP")


def pages(m, n, shuffled):
    users = list(their_users(m, n))
    if shuffled:
        random.Random(1).shuffle(users)
    else:
        users.sort(key=lambda u: u[0])
    total = -(-m // PAGE)
    return [page(users[at:at + PAGE], number, total) for number, at in enumerate([*range(0, m, PAGE), m], 1)]


def page(users, number, total):
    body = f'{{"current_page":{number},"total_pages":{total},"users":[{",".join(u for _, u in users)}]}}'.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Server:
    def __init__(self, ready):
        self.ready, self.latency = ready, 0.0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client):
        got = b""
        try:
            while piece := client.recv(1 << 16):
                got += piece
                while b"\r\n\r\n" in got:
                    request, got = got.split(b"\r\n\r\n", 1)
                    self._answer(client, request)
        except OSError:
            pass  # its reader has hung up
        client.close()

    def _answer(self, client, request):
        wanted = WANTED.match(request)
        if self.latency:
            time.sleep(self.latency)
        if wanted:
            client.sendall(self.ready[min(int(wanted[1]), len(self.ready)) - 1])
        else:
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


class VendorServer:
    """The process, from outside."""

    def __init__(self, m, n, shuffled=False):
        self.n_pages = -(-m // PAGE)
        argv = [sys.executable, __file__, str(m), str(n), *(["shuffled"] if shuffled else [])]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def latency(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def page_urls(self):
        return [f"{self.url}?page={i}" for i in range(1, self.n_pages + 1)]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def main():
    server = Server(pages(int(sys.argv[1]), int(sys.argv[2]), "shuffled" in sys.argv))
    print(f"http://127.0.0.1:{server.listener.getsockname()[1]}/api/v1/users", flush=True)
    for line in sys.stdin:
        server.latency = float(line)
        print("so be it", flush=True)


if __name__ == "__main__":
    main()
