"""Several tenants on one machine: one template, a small file and a daemon for each, and all of them in one table."""
import json
import os
import shutil
import signal
import stat
import subprocess

import pytest

import lake_reader
from programs import INGESTCTL
from servers import free_port, wait_until

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
NOBODY = 65534

TEMPLATE = """\
control: {home}/control-${{tenant}}
state_dir: {home}/state-${{tenant}}
http: 127.0.0.1:${{PORT}}
postgres: {{url: '${{DATABASE_URL}}', schema: '${{tenant}}'}}
stores:
  drop: {{url: 'file://{home}/drop/${{tenant}}'}}
  lake: {{url: 'file://{home}/lake/${{tenant}}'}}
jobs:
  tick: {{kind: query, schedule: every 1s, sql: tick.sql}}
  omop: {{kind: harmonize, sources: {{files: {{store: drop, columns: A}}}}, transform: 'omop/tables.sql, omop/fill.sql', lake: lake,
    tables: {{provider: {{key: provider_id}}}}}}
"""


class Clinic:
    """The folder with the template and the tenants' files, and their daemons."""

    def __init__(self, office):
        self.office, self.home = office, office.home
        self.tenants = self.home / "tenants"
        self.tenants.mkdir()
        self.template = self.home / "clinic.yaml"
        self.write_template()
        (self.home / "tick.sql").write_text("SELECT 1;")
        (self.home / "omop").mkdir()
        (self.home / "omop/tables.sql").write_text("CREATE TABLE out.provider (provider_id VARCHAR NOT NULL, tenant VARCHAR);")
        (self.home / "omop/fill.sql").write_text("INSERT INTO out.provider SELECT A, getvariable('tenant') FROM staged.files;")

    def write_template(self, old="", new="", more=""):
        text = TEMPLATE.format(home=self.home)
        assert old in text
        self.template.write_text(text.replace(old, new) + more)

    def add(self, name, **values):
        """JSON is YAML."""
        path = self.tenants / f"{name}.yaml"
        own = {"PORT": str(free_port()), "DATABASE_URL": self.office.url(), **values}
        path.write_text(json.dumps({"template": "../clinic.yaml", "values": {k: v for k, v in own.items() if v}}))
        return path

    def start(self, name, **values):
        path = self.add(name, **values)
        daemon = self.office.daemon(start=False, name=name, config="{}")
        daemon.config_path = path
        daemon.control = self.home / f"control-{name}"
        daemon.start()
        wait_until(lambda: self.job(name)["succeeded"] > 0, 30, f"a run of {name}")
        return daemon

    def job(self, name):
        code, answer = self.ctl("--tenant", name, "jobs")
        assert code == DONE, answer
        return next(j for j in answer["jobs"] if j["name"] == "tick")

    def raw(self, *args, **how):
        argv = [str(INGESTCTL), "--tenants", str(self.tenants), *map(str, args)]
        env = {k: v for k, v in os.environ.items() if not k.startswith("INGESTD_")}
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=env, **how)

    def ctl(self, *args):
        done = self.raw("--json", *args)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr

    def mistakes(self, *args):
        """What check says is wrong, the folder left out."""
        done = self.raw("check", *args)
        assert done.returncode == FAILED, done.stdout
        return done.stderr.replace(f"{self.home}/", "")


@pytest.fixture
def clinic(office):
    return Clinic(office)


def by_tenant(answer):
    return {t["tenant"]: t for t in answer["tenants"]}


# What a person sees.

def test_all_are_in_one_table(clinic):
    clinic.start("north")
    clinic.start("south")
    done = clinic.raw("jobs", "--all-tenants")
    assert done.returncode == DONE, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split()[:4] == ["TENANT", "job", "kind", "schedule"]
    jobs = [line.split()[:3] for line in lines if not line.startswith(" ")]
    assert jobs == [[t, j, k] for t in ("north", "south") for j, k in (("tick", "query"), ("omop", "harmonize"))]
    code, answer = clinic.ctl("jobs", "--all-tenants")
    assert code == DONE and set(by_tenant(answer)) == {"north", "south"}
    for name, tenant in by_tenant(answer).items():
        assert tenant["control"] == f"{clinic.home}/control-{name}" and "error" not in tenant
        assert [j["name"] for j in tenant["jobs"]] == ["tick", "omop"]
        assert tenant["leads"] and tenant["leader"].startswith(f"{name}@")  # each leads its own
    code, answer = clinic.ctl("status", "--all-tenants")
    assert code == DONE and {t: s["state"] for t, s in by_tenant(answer).items()} == {"north": "HEALTHY", "south": "HEALTHY"}
    assert "north" in clinic.raw("status", "--all-tenants").stdout


def test_one_that_is_dead_hides_no_other(clinic):
    clinic.start("north")
    south = clinic.start("south")
    clinic.add("west", DATABASE_URL=None)  # its configuration has a mistake
    south.kill9()
    done = clinic.raw("jobs", "--all-tenants")
    assert done.returncode == UNREACHABLE
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert "every 1s" in next(line for line in done.stdout.splitlines() if line.startswith("north"))
    assert f"cannot reach the daemon at {clinic.home}/control-south" in rows["south"]
    assert "systemctl start ingestd@south" in rows["south"]
    assert "clinic.yaml:4:17: postgres.url: DATABASE_URL is neither among the values: of" in rows["west"]
    code, answer = clinic.ctl("status", "--all-tenants")
    assert code == UNREACHABLE
    tenants = by_tenant(answer)
    assert tenants["north"]["state"] == "HEALTHY"
    assert "ingestd@south" in tenants["south"]["error"] and "DATABASE_URL" in tenants["west"]["error"]
    south.start()
    wait_until(lambda: clinic.ctl("jobs", "--all-tenants")[0] == FAILED, 20, "only the broken one to be wrong")


def test_one_that_hangs_hides_no_other(clinic):
    clinic.start("north")
    south = clinic.start("south")
    south.signal(signal.SIGSTOP)
    try:
        code, answer = clinic.ctl("jobs", "--all-tenants")
    finally:
        south.signal(signal.SIGCONT)
    assert code == UNREACHABLE
    assert "jobs" in by_tenant(answer)["north"]
    assert "does not answer; see `systemctl status ingestd@south`" in by_tenant(answer)["south"]["error"]


def test_one_that_is_ill_is_told(clinic):
    clinic.start("north")
    clinic.write_template("tick.sql}", "wrong.sql, retries: 0}")
    (clinic.home / "wrong.sql").write_text("SELECT nobody;")
    path = clinic.add("south")
    daemon = clinic.office.daemon(start=False, name="south", config="{}")
    daemon.config_path, daemon.control = path, clinic.home / "control-south"
    daemon.start()
    wait_until(lambda: clinic.ctl("status", "--all-tenants")[0] == FAILED, 30, "a tenant to be ill")
    tenants = by_tenant(clinic.ctl("status", "--all-tenants")[1])
    assert tenants["north"]["state"] == "HEALTHY" and tenants["south"]["state"] != "HEALTHY"
    text = clinic.raw("status", "--all-tenants").stdout
    assert "tick" in text and text.index("south") < text.index("!")


def test_one_by_its_name(clinic):
    clinic.start("north")
    clinic.start("south")
    code, status = clinic.ctl("--tenant", "south", "status")
    assert code == DONE and status["name"] == "south"
    done = subprocess.run([INGESTCTL, "--config", clinic.tenants / "north.yaml", "--json", "status"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == DONE and json.loads(done.stdout)["name"] == "north"
    code, run = clinic.ctl("run", "tick", "--wait", "--tenant", "north")
    assert code == DONE and run["status"] == "done", run
    assert clinic.raw("--tenant", "north", "check").returncode == DONE
    assert f"file://{clinic.home}/lake/north" in clinic.raw("--tenant", "north", "config").stdout
    assert clinic.raw("--tenant", "north", "doctor").returncode == DONE
    wrong = clinic.raw("--tenant", "nort", "status")
    assert wrong.returncode == USAGE and "there is no tenant nort in" in wrong.stderr and "did you mean north?" in wrong.stderr
    wrong = clinic.raw("--tenant", "../tenants/north", "status")
    assert wrong.returncode == USAGE and "is no tenant's name" in wrong.stderr


def test_a_change_is_taken_by_a_reload(clinic):
    north = clinic.start("north")
    clinic.write_template("every 1s", "'every ${PACE:-1s}'")
    path = clinic.tenants / "north.yaml"
    values = json.loads(path.read_text())
    values["values"]["PACE"] = "2s"
    path.write_text(json.dumps(values))
    assert clinic.raw("--tenant", "north", "reload").returncode == DONE
    assert clinic.job("north")["schedule"] == "every 2s"
    clinic.write_template("jobs:", "jbos:")
    refused = clinic.raw("--tenant", "north", "reload", "--socket", north.control)
    assert refused.returncode == FAILED
    assert f"{clinic.template}:8:1: the key \"jbos\" is not known; did you mean jobs?" in refused.stderr
    clinic.write_template()
    del values["values"]["PORT"], values["values"]["PACE"]
    path.write_text(json.dumps({**values, "values": {**values["values"], "PROT": "1"}}))
    refused = clinic.raw("--tenant", "north", "reload", "--socket", north.control)
    assert f"{clinic.template}:3:7: http: PORT is neither among the values: of {path}" in refused.stderr


# What one may not have of another.

def test_check_finds_what_two_share(clinic):
    clinic.add("north"), clinic.add("south")
    done = clinic.raw("check", "--all-tenants")
    assert done.returncode == DONE and "ok, 2 tenants" in done.stdout
    assert clinic.ctl("check", "--all-tenants") == (DONE, {"ok": True, "tenants": 2})
    for old, new, words in (
            ("control-${tenant}", "control", "has the control socket"),
            ("state-${tenant}", "state", "has the state_dir"),
            ("schema: '${tenant}'", "schema: books", "has the schema books of one database"),
            ("${PORT}", "9187", "nothing in"),  # a value that nobody asks for
            ("drop/${tenant}", "drop", "has the store drop"),
            ("lake/${tenant}", "lake", "the lake of the job omop, the store lake in the template, has no ${tenant}")):
        clinic.write_template(old, new)
        assert words in clinic.mistakes("--all-tenants"), (old, clinic.mistakes("--all-tenants"))
    # A value of one that leads to another.
    clinic.write_template("lake/${tenant}'", "lake/${tenant}${PLACE:-}'")
    clinic.add("sou", PLACE="th")
    said = clinic.mistakes("--all-tenants")
    assert "tenants/south.yaml: the tenant sou has the store lake" in said, said


def test_a_lake_of_nobody_is_refused_though_there_is_one_tenant(clinic):
    clinic.add("north")
    clinic.write_template("lake/${tenant}", "lake")
    said = clinic.mistakes("--all-tenants")
    assert "tenants/north.yaml: the lake of the job omop" in said and said.count("\n") == 1, said


def test_mistakes_are_told_where_they_are(clinic):
    clinic.add("north", PROT="1")
    (clinic.tenants / "South.yaml").write_text("template: ../clinic.yaml\n")
    (clinic.tenants / "west.yaml").write_text("postgres: {url: 'postgresql://h/d'}\ntemplate: ../clinic.yaml\n")
    (clinic.tenants / "notes.txt").write_text("nothing of ours")
    said = clinic.mistakes("--all-tenants")
    assert "tenants: \"South.yaml\" is no tenant's file" in said
    assert "tenants/north.yaml:1:" in said and "nothing in clinic.yaml asks for ${PROT}" in said
    assert "tenants/west.yaml:1:1: the key \"postgres\" is not known: a tenant's file has template and values alone" in said
    assert "notes" not in said
    said = clinic.mistakes(clinic.template)
    assert "clinic.yaml:1:10: control: ${tenant} is the name of a tenant's file, and this file was not read by one" in said
    done = clinic.raw("--tenants", clinic.home / "nowhere", "jobs", "--all-tenants")
    assert done.returncode == FAILED and "cannot be read" in done.stderr and "--tenants DIR" in done.stderr


def test_a_daemon_refuses_what_check_refuses(clinic):
    path = clinic.add("north", DATABASE_URL=None)
    daemon = clinic.office.daemon(start=False, name="north", config="{}")
    daemon.config_path = path
    daemon.start(wait=False)
    assert daemon.wait(20) == 1
    assert f"{clinic.template}:4:17: postgres.url: DATABASE_URL is neither among" in daemon.log_text()


def test_each_has_a_lake_of_its_own(clinic):
    """One template, two drops, two lakes: the daemon of each makes the folders that it needs, and its pointer names it."""
    for name in ("north", "south"):
        for folder in (f"drop/{name}", f"lake/{name}"):
            (clinic.home / folder).mkdir(parents=True)
        (clinic.home / f"drop/{name}/a.csv").write_text(f"A\n{name}-1\n{name}-2\n")
        clinic.start(name)
        code, run = clinic.ctl("--tenant", name, "run", "omop", "--wait")
        assert code == DONE and run["status"] == "done", run
    for name in ("north", "south"):
        lake = lake_reader.view(clinic.home / "lake" / name)
        assert lake.pointer["tenant"] == name and lake.pointer["job"] == "omop"
        assert sorted((r["provider_id"], r["tenant"]) for r in lake.rows("provider")) == [(f"{name}-1", name), (f"{name}-2", name)]
        assert stat.S_IMODE((clinic.home / f"state-{name}/harmonize").stat().st_mode) & 0o002 == 0
    # Without the daemon, by hand: the same file, and nothing is new.
    done = clinic.raw("--tenant", "north", "run", "omop", "--local")
    assert done.returncode == DONE, done.stderr
    assert len(lake_reader.pointers(clinic.home / "lake/north")) == 1


def test_files_of_one_are_closed_to_others(clinic):
    """By their modes; a user of its own for each tenant makes of it that no tenant reaches another's (ingestd@.service)."""
    north = clinic.start("north")
    state = clinic.home / "state-north"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE(north.control.stat().st_mode) == 0o660
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("another user can be had by root alone")
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    assert subprocess.run([*other, "ls", state], capture_output=True, timeout=30).returncode != 0
    asked = subprocess.run([*other, INGESTCTL, "--socket", north.control, "status"], capture_output=True, text=True, timeout=30)
    assert asked.returncode == UNREACHABLE and "you may not talk to the daemon" in asked.stderr, asked.stderr
