#!/usr/bin/python3
"""The tutorial's server for TCP: a thread for each connection, which greets and then answers what a receive returns.

tutorial_threads.py PORT. What the original waits for each message and what it prints is left out.
"""

import socket
import sys
import threading


def serve(connection):
    connection.sendall(b"What's your name?")
    while data := connection.recv(1024):
        if data == b"disconnect":
            break
        connection.sendall(b"Hello, %s!" % data)
    connection.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
