# SPDX-License-Identifier: Apache-2.0
"""Between front ends and the back end of a vhost-user socket: passes messages on, and interferes where a test asks for it."""

import array
import os
import select
import socket
import struct
import threading

SET_LOG_BASE = 6
SET_VRING_CALL = 13
VERSION = 1


class Proxy:
    """Front ends connect to `path`, the back end listens on `upstream`. lose_log: the back end gets another log than the front
    end's, as if it logged nothing."""

    def __init__(self, path, upstream, lose_log=False):
        self.upstream = upstream
        self.lose_log = lose_log
        self.logs = []
        self.calls = {}
        self.relayed = {}
        self.lock = threading.Lock()
        self.back = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._relay, daemon=True).start()

    def lost_pages(self):
        """Pages that the back end reported into the logs handed out here."""
        return sum(bin(byte).count("1") for fd in self.logs for byte in os.pread(fd, 1 << 20, 0))

    def replace_calls(self):
        """Gives the back end a new call descriptor for every vring, as a front end does whenever its guest moves or masks an
        interrupt; what comes there goes on to the front end's. Returns how many."""
        with self.lock:
            for index, call in self.calls.items():
                fd = os.eventfd(0, os.EFD_NONBLOCK)
                self.relayed[fd] = call
                self.back.sendmsg([struct.pack("<IIIQ", SET_VRING_CALL, VERSION, 8, index)],
                                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
            return len(self.calls)

    def _relay(self):
        while True:
            with self.lock:
                fds = dict(self.relayed)
            for fd in select.select(list(fds), [], [], 0.05)[0]:
                os.eventfd_write(fds[fd], os.eventfd_read(fd))

    def _accept(self):
        while True:
            front, _ = self.listener.accept()
            back = socket.socket(socket.AF_UNIX)
            back.connect(self.upstream)
            self.back = back
            for source, sink in ((front, back), (back, front)):
                threading.Thread(target=self._forward, args=(source, sink, source is front), daemon=True).start()

    def _interfere(self, request, payload, fds):
        if request == SET_LOG_BASE and fds and self.lose_log:
            os.close(fds[0])
            fds[0] = os.memfd_create("lost-log")
            os.ftruncate(fds[0], struct.unpack_from("<Q", payload)[0])
            self.logs.append(os.dup(fds[0]))
        if request == SET_VRING_CALL and fds:
            self.calls[struct.unpack_from("<Q", payload)[0] & 0xFF] = os.dup(fds[0])

    def _forward(self, source, sink, from_front):
        try:
            while True:
                header, ancillary, _, _ = source.recvmsg(12, socket.CMSG_SPACE(8 * 4))
                if not header:
                    break
                fds = array.array("i", b"".join(data for _, _, data in ancillary))
                while len(header) < 12:
                    header += source.recv(12 - len(header))
                request, _, size = struct.unpack("<III", header)
                payload = b""
                while len(payload) < size:
                    payload += source.recv(size - len(payload))
                with self.lock:
                    if from_front:
                        self._interfere(request, payload, fds)
                    sink.sendmsg([header + payload], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
                for fd in fds:
                    os.close(fd)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
