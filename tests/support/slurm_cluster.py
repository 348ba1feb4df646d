"""A real Slurm on two machines made of one: slurmctld, slurmd and munged as Debian has them."""

import secrets
import shutil
import time

import pytest
from machines import NAMES

#: Each node has one processor, whatever the machine has. Times are shorter than a site's: a requeued job begins when
#: the credentials of the last try have expired, and a process that does not end is killed after ``KillWait``.
_CONF = """
ClusterName=two
SlurmctldHost=m1
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
StateSaveLocation=/run/slurmctld
SlurmdSpoolDir=/run/slurmd
SlurmctldLogFile=/tmp/slurmctld.log
SlurmdLogFile=/tmp/slurmd.log
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=10
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=5
JobRequeue=1
NodeName=m1,m2 CPUs=1 RealMemory=10000 State=UNKNOWN
PartitionName=main Nodes=m1,m2 Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why no Slurm can run here; None where one can."""
    programs = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol", "squeue")
    missing = [program for program in programs if shutil.which(program, path="/usr/bin:/usr/sbin") is None]
    return f"{', '.join(missing)}: not installed (apt-get install slurm-wlm munge)" if missing else None


class SlurmCluster:
    """The Slurm, from outside."""

    def __init__(self, machines):
        self.machines = machines
        folder = machines.shared / "slurm"
        folder.mkdir()
        (folder / "slurm.conf").write_text(_CONF)
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        (folder / "munge.key").write_bytes(secrets.token_bytes(64))
        (folder / "munge.key").chmod(0o400)
        self._environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        for name in NAMES:
            self.on(name, "mkdir", "-p", "-m", "755", "/run/munge", "/run/slurmctld", "/run/slurmd")
            files = [f"--{kind}-file=/run/munge/{kind}" for kind in ("pid", "log", "seed")]
            self.on(name, "munged", "--force", f"--key-file={folder / 'munge.key'}", *files)
        self.on("m1", "slurmctld")
        for name in NAMES:
            self.on(name, "slurmd", "-N", name)
        self.wait_until(lambda: self.on("m1", "sinfo", "-h", "-o", "%D %t").split() == ["2", "idle"], 60)

    def on(self, name, *words, **options):
        """Run a command on a machine that is to talk to Slurm; its output."""
        return self.machines.run(name, *words, **self._environment, **options)

    def submit(self, script, *options, cwd):
        """Send a script from a folder of the first machine, as its user would; the number of the job."""
        return int(self.on("m1", "sbatch", "--parsable", *options, str(script), cwd=cwd))

    def job(self, number):
        """What Slurm says of a job, by its names."""
        words = self.on("m1", "scontrol", "show", "job", "-o", str(number)).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait(self, number, *, patience_s):
        """Wait until a job has ended for good; what Slurm says of it."""
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        return self.wait_until(lambda: (job := self.job(number))["JobState"] in ended and job, patience_s)

    def wait_until(self, condition, patience_s):
        """What ``condition()`` gives once that is true; where time runs out, the test fails with Slurm's logs."""
        deadline = time.monotonic() + patience_s
        while not (value := condition()):
            if time.monotonic() > deadline:
                logs = [
                    self.on(name, "sh", "-c", "tail -n 20 /tmp/slurm*.log /run/munge/log", check=False)
                    for name in NAMES
                ]
                pytest.fail("what was waited for did not come\n" + "\n".join(logs))
            time.sleep(0.5)
        return value
