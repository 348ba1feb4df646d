"""Two machines made of one, to try clusters on: each with its own network, processes, host name, home and /tmp.

They see a folder that they share, the checkout and Python where these are, and nothing of each other's /tmp, /run and
home. It needs root, Linux, iproute2 and util-linux; what is made goes with the processes that hold it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("m1", "m2")
_NAMESPACES = ("unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--kill-child=KILL", "--mount-proc")

#: The first process of a machine. Arguments: its name, its number, and the folders that it sees where they are.
_BEGIN = """
set -eu
name=$1 number=$2
shift 2
mount --make-rprivate /
hostname "$name"
mkdir -p /mnt
mount -t tmpfs tmpfs /mnt
printf '127.0.0.1 localhost\\n10.77.0.1 m1\\n10.77.0.2 m2\\n' >/mnt/hosts
mount --bind /mnt/hosts /etc/hosts
i=0
for seen; do i=$((i + 1)); mkdir -p "/mnt/$i"; mount --rbind "$seen" "/mnt/$i"; done
for own in /tmp /run /dev/shm /home; do mount -t tmpfs -o mode=1777 tmpfs "$own"; done
i=0
for seen; do i=$((i + 1)); mkdir -p "$seen"; mount --rbind "/mnt/$i" "$seen"; done
mkdir -p /home/user
ip link set lo up
echo ready
read -r _
ip addr add "10.77.0.$number/24" dev eth0
ip link set eth0 up
echo joined
while :; do sleep 1000 & wait $!; done  # a shell, which takes the exit codes of what has lost its parent
"""


def why_not():
    """Why machines cannot be made here; None where they can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "machines of one's own need root on Linux"
    for command in ("unshare", "nsenter", "ip", "hostname"):
        if shutil.which(command) is None:
            return f"{command} is not installed"
    tried = subprocess.run([*_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return None if tried.returncode == 0 else f"the kernel makes no machines: {tried.stderr.decode().strip()}"


class Machines:
    """The two machines, from outside. ``shared``: a folder that both see, as a file system of a cluster."""

    def __init__(self, shared):
        self.shared = Path(shared)
        prefixes = {Path(sys.prefix), Path(sys.base_prefix)}
        seen = [str(path) for path in (ROOT, *sorted(prefixes), self.shared) if not path.is_relative_to("/usr")]
        self._machines = [
            subprocess.Popen(
                [*_NAMESPACES, "bash", "-c", _BEGIN, "machine", name, str(number), *seen],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number, name in enumerate(NAMES, start=1)
        ]
        try:
            assert [machine.stdout.readline() for machine in self._machines] == ["ready\n"] * 2
            self._pids = [
                Path(f"/proc/{machine.pid}/task/{machine.pid}/children").read_text().split()[0]
                for machine in self._machines
            ]
            first, second = self._pids
            cable = ["ip", "link", "add", "name", "eth0", "netns", first, "type", "veth"]
            subprocess.run([*cable, "peer", "name", "eth0", "netns", second], check=True)
            for machine in self._machines:
                machine.stdin.write("\n")
                machine.stdin.flush()
            assert [machine.stdout.readline() for machine in self._machines] == ["joined\n"] * 2
        except BaseException:
            self.close()
            raise

    def on(self, name, *words, cwd=None, **environment):
        """The command line and environment by which ``words`` run on a machine, for ``subprocess``."""
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        plain = {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": "/home/user", "LANG": "C.UTF-8"}
        enter = ["nsenter", "-t", self._pids[NAMES.index(name)], "--net", "--pid", "--mount", "--uts"]
        return {
            "args": [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(cwd or "/home/user"), *map(str, words)],
            "env": {**plain, "OMP_NUM_THREADS": "1", **environment},
            "text": True,
        }

    def run(self, name, *words, check=True, timeout=120, **options):
        """Run a command on a machine until it ends; the output of both streams."""
        done = subprocess.run(
            **self.on(name, *words, **options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{name}: {words}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def start(self, name, *words, **options):
        """Start a command on a machine, with one stream of output."""
        return subprocess.Popen(
            **self.on(name, *words, **options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def close(self):
        """End all processes of both machines: the first one takes the others with it."""
        for machine in self._machines:
            machine.kill()
            machine.communicate()
