"""Network namespaces of this machine, and the programs in them."""

import os
import subprocess


def sh(*words):
    subprocess.run(words, check=True)


class Namespaces:
    """One for each role, from here on until this is left; the programs in them end then, too."""

    def __init__(self, name, roles):
        self.names = {role: f"bowline-{os.getpid()}-{name}-{role}" for role in roles}
        self.processes = []

    def __enter__(self):
        for name in self.names.values():
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        for name in self.names.values():
            sh("ip", "netns", "del", name)

    def inside(self, role, *words, **options):
        process = subprocess.Popen(["ip", "netns", "exec", self.names[role], *words], **options)
        self.processes.append(process)
        return process
