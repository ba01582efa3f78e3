"""A server as a process: started, asked, watched and stopped."""

import os
import re
import signal
import socket
import subprocess
import time

from configure import COMMANDS
from workloads import parse_reply

START_LIMIT_S, STOP_LIMIT_S = 120, 10


def free_port():
    """A port that is free for UDP and TCP at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return tcp.getsockname()[1]


def process_tree(root):
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(pid))
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


class Server:
    """A process tree on one processor. `directory` is its own, `data` has what all servers read."""

    def __init__(self, name, site, directory, data, core):
        self.name, self.site, self.directory, self.port = name, site, directory, free_port()
        os.makedirs(directory)
        command = COMMANDS[name](site, directory, self.port, data)
        self.command = command and ["taskset", "-c", str(core), *command]
        self.process = self.first_answer_s = None

    def start(self, query):
        """Starts it and waits for the right answer to a query; false, with a word on why, if none comes."""
        begin = time.monotonic()
        with open(f"{self.directory}/log", "w") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, start_new_session=True)
        while time.monotonic() - begin < START_LIMIT_S and self.process.poll() is None:
            if self.ask(query.to_wire(), 0.05) in query.accepted():
                self.first_answer_s = time.monotonic() - begin
                return True
            time.sleep(0.005)
        print(f"   {self.name} did not come up for {self.site}; its log ends with:\n{self.log_end()}")
        return False

    def log_end(self):
        with open(f"{self.directory}/log", errors="replace") as log:
            return "".join(log.readlines()[-5:])

    def ask(self, message, timeout_s=1):
        """What the reply says; None if none came that can be read."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(timeout_s)
            client.connect(("127.0.0.1", self.port))
            try:
                client.send(message)
                return parse_reply(client.recv(4096))
            except (OSError, IndexError, ValueError):
                return None

    def wrong_answer(self, queries):
        """The first of these queries that is answered wrongly, in words; None if all are right."""
        for query in queries:
            accepted, reply = query.accepted(), self.ask(query.to_wire())
            if accepted and reply not in accepted:
                return f"{query.name} {query.subnet.hex()}: {accepted} expected, {reply} found"
        return None

    def processor_time(self):
        """Nanoseconds of all threads by the scheduler's account, and ticks in user and in kernel mode."""
        total, user, kernel = 0, 0, 0
        for pid in process_tree(self.process.pid):
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                        total += int(file.read().split()[0])
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            user, kernel = user + int(fields[11]), kernel + int(fields[12])
        return total, user, kernel

    def pss_mib(self):
        """Memory, that shared between its processes counted once."""
        total = 0
        for pid in process_tree(self.process.pid):
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1))
        return total / 1024

    def admin_address(self):
        with open(f"{self.directory}/log") as log:
            return re.search(r"admin +(http://\S+)", log.read()).group(1)

    def stop(self):
        if not self.process:
            return
        for pid in reversed(process_tree(self.process.pid)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
