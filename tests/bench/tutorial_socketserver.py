#!/usr/bin/python3
"""The tutorial's servers on the framework that it praises: a handler, and nothing else.

tutorial_socketserver.py tcp|udp PORT.
"""

import socketserver
import sys


class Greeting(socketserver.BaseRequestHandler):
    """A thread for each connection."""

    def handle(self):
        self.request.sendall(b"What's your name?")
        while data := self.request.recv(1024):
            if data == b"disconnect":
                break
            self.request.sendall(b"Hello, %s!" % data)


class Hello(socketserver.BaseRequestHandler):
    """A datagram after the other."""

    def handle(self):
        data, own = self.request
        own.sendto(b"Hello, %s!" % data, self.client_address)


class Threads(socketserver.ThreadingTCPServer):
    request_queue_size = 128


KINDS = {"tcp": (Threads, Greeting), "udp": (socketserver.UDPServer, Hello)}
server, handler = KINDS[sys.argv[1]]
server(("127.0.0.1", int(sys.argv[2])), handler).serve_forever()
