"""Build the wheel, install it in a new environment, and run a small study there, outside the source tree.

The new environment shares the installed dependencies of the environment that runs this script, because they are large.
It does not see the project's sources.
"""

import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUDY = """
name = "wheel"
dataset = "digits"
model = "nn-2-small"
regularizers = ["weight-decay"]
training = { epochs = 1, batch_size = 64 }
search = { trials = 1 }
confirm = { seeds = 1 }
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", scratch, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=folder)
        site = Path(
            subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[0])"], text=True).strip()
        )
        # The dependencies come behind the wheel's own packages. Python does not read the .pth files in that folder, so
        # that the editable install of the project stays hidden.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
        imported_from = subprocess.check_output(
            [python, "-c", "import tune_reg, search_spaces, analysis; print(tune_reg.__file__)"], text=True, cwd=folder
        )
        if str(folder) not in imported_from:
            sys.exit(f"the wheel is not what is imported, but {imported_from}")
        (folder / "study.toml").write_text(STUDY)
        command = folder / "env" / "bin" / "tune-reg"
        run(command, "--version", cwd=folder)
        run(command, "check", "study.toml", cwd=folder)
        run(command, "run", "study.toml", "--out", "out", cwd=folder)
        if not (folder / "out" / "report" / "index.html").is_file():
            sys.exit("the wheel wrote no report")
    print("the wheel works outside the tree")


def run(*command: object, cwd: Path) -> None:
    """Run a command in a folder. The script ends where the command fails."""
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


if __name__ == "__main__":
    main()
