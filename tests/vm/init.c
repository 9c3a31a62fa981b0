// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the test VM: mounts, loads modules where the kernel has any, gives the
 * NVMe members their names, runs one command with its output on virtio ports,
 * looks for leaks, powers off.
 *
 * /rig/config holds "key value" lines, /rig/command the NUL-separated argv.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_MEMBERS	64
#define MAX_GETS	16
#define MAX_MODULES	16
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

static struct {
	int members;
	int namespaces;
	int paths;
	int kmemleak;
	int shell;
	char *get[MAX_GETS];
	int gets;
	char *module[MAX_MODULES];
	int modules;
} cfg = { .namespaces = 1, .paths = 1 };

static void power_off(void)
{
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* Says why on the console; the missing status tells the host. */
__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	FILE *console = fopen("/dev/console", "w");
	va_list ap;

	if (console) {
		va_start(ap, fmt);
		fprintf(console, "rig: ");
		vfprintf(console, fmt, ap);
		fprintf(console, "\n");
		va_end(ap);
		fclose(console);
	}
	power_off();
	__builtin_unreachable();
}

/* The kernel's own word for it depends on its log level. */
static void say_up(void)
{
	FILE *console = fopen("/dev/console", "w");

	if (!console)
		return;
	fputs("rig: up\n", console);
	fclose(console);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

/* One line, trailing blanks cut; empty if there is none. */
static char *read_line(const char *path)
{
	static char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		n = 0;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	for (n = strlen(buf); n && buf[n - 1] == ' '; n--)
		buf[n - 1] = 0;
	return buf;
}

static void mount_all(void)
{
	static const struct {
		const char *type, *dir;
		int needed;
	} fs[] = {
		{ "proc", "/proc", 1 },
		{ "sysfs", "/sys", 1 },
		{ "devtmpfs", "/dev", 1 },
		{ "debugfs", "/sys/kernel/debug", 1 },
		{ "tracefs", "/sys/kernel/tracing", 0 },
		{ "configfs", "/sys/kernel/config", 0 },
		{ "devpts", "/dev/pts", 0 },
		{ "tmpfs", "/dev/shm", 1 },
		{ "tmpfs", "/tmp", 1 },
		{ "tmpfs", "/run", 1 },
		{ "hugetlbfs", "/dev/hugepages", 0 },
		{ "cgroup2", "/sys/fs/cgroup", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(fs) / sizeof(fs[0]); i++) {
		mkdir(fs[i].dir, 0755);
		if (mount(fs[i].type, fs[i].dir, fs[i].type, 0, NULL) &&
		    errno != EBUSY && fs[i].needed)
			die("cannot mount %s: %m", fs[i].dir);
	}
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
	mkdir("/run/lock", 0755);
	mkdir("/run/mdadm", 0755);
	(void)!symlink("/proc/self/fd", "/dev/fd");
	(void)!symlink("/proc/self/fd/0", "/dev/stdin");
	(void)!symlink("/proc/self/fd/1", "/dev/stdout");
	(void)!symlink("/proc/self/fd/2", "/dev/stderr");
}

static void read_config(void)
{
	FILE *f = fopen("/rig/config", "r");
	char key[64], value[4032];

	if (!f)
		die("no /rig/config");
	while (fscanf(f, "%63s %4031[^\n]", key, value) == 2) {
		if (!strcmp(key, "members"))
			cfg.members = atoi(value);
		else if (!strcmp(key, "namespaces"))
			cfg.namespaces = atoi(value);
		else if (!strcmp(key, "paths"))
			cfg.paths = atoi(value);
		else if (!strcmp(key, "kmemleak"))
			cfg.kmemleak = atoi(value);
		else if (!strcmp(key, "shell"))
			cfg.shell = atoi(value);
		else if (!strcmp(key, "get") && cfg.gets < MAX_GETS)
			cfg.get[cfg.gets++] = strdup(value);
		else if (!strcmp(key, "module") && cfg.modules < MAX_MODULES)
			cfg.module[cfg.modules++] = strdup(value);
	}
	fclose(f);
	if (cfg.members > MAX_MEMBERS)
		die("more than %d members", MAX_MEMBERS);
}

static int set_env_line(char *line)
{
	line[strcspn(line, "\n")] = 0;
	return *line ? putenv(strdup(line)) : 0;
}

static void set_environment(void)
{
	FILE *f = fopen("/rig/environment", "r");
	char line[4096];

	clearenv();
	while (f && fgets(line, sizeof(line), f))
		set_env_line(line);
	if (f)
		fclose(f);
}

static void load_modules(void)
{
	int i, st;
	pid_t pid;

	for (i = 0; i < cfg.modules; i++) {
		pid = fork();
		if (!pid) {
			execl("/bin/modprobe", "modprobe", cfg.module[i], NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &st, 0) != pid || st)
			die("cannot load %s", cfg.module[i]);
	}
}

/* --- members ------------------------------------------------------------ */

/* Controller number of each member (its first path), by serial; how many. */
static int find_controllers(int ctrl[MAX_MEMBERS])
{
	int found = 0, member, nr, i;
	struct dirent *d;
	char path[PATH_MAX];
	DIR *dir;

	for (i = 0; i < MAX_MEMBERS; i++)
		ctrl[i] = -1;
	dir = opendir("/sys/class/nvme");
	while (dir && (d = readdir(dir))) {
		if (sscanf(d->d_name, "nvme%d", &nr) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/class/nvme/%s/serial", d->d_name);
		if (sscanf(read_line(path), "member%d", &member) != 1 ||
		    member < 0 || member >= MAX_MEMBERS)
			continue;
		snprintf(path, sizeof(path), "/sys/class/nvme/%s/state", d->d_name);
		if (strcmp(read_line(path), "live"))
			continue;
		found++;
		if (ctrl[member] < 0 || nr < ctrl[member])
			ctrl[member] = nr;
	}
	if (dir)
		closedir(dir);
	return found;
}

static void wait_controllers(int ctrl[MAX_MEMBERS])
{
	int tries;

	for (tries = 0; tries < 6000; tries++) {
		if (find_controllers(ctrl) == cfg.members * cfg.paths)
			return;
		usleep(5000);
	}
	die("%d of %d NVMe controllers came up", find_controllers(ctrl),
	    cfg.members * cfg.paths);
}

/*
 * The driver probes in parallel, so a controller's number is a matter of luck.
 * When luck was against us, bind them again, one after the other.
 */
static void order_controllers(int ctrl[MAX_MEMBERS])
{
	char pci[MAX_MEMBERS][64], path[PATH_MAX], link[PATH_MAX];
	ssize_t n;
	int i;

	for (i = 0; i < cfg.members && ctrl[i] == i; i++)
		;
	if (i == cfg.members || cfg.paths != 1)
		return;
	for (i = 0; i < cfg.members; i++) {
		snprintf(path, sizeof(path), "/sys/class/nvme/nvme%d/device", ctrl[i]);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			die("%s: %m", path);
		link[n] = 0;
		snprintf(pci[i], sizeof(pci[i]), "%.60s", strrchr(link, '/') + 1);
	}
	for (i = 0; i < cfg.members; i++)
		write_file("/sys/bus/pci/drivers/nvme/unbind", pci[i]);
	for (i = 0; i < cfg.members; i++)
		write_file("/sys/bus/pci/drivers/nvme/bind", pci[i]);
	wait_controllers(ctrl);
}

/* A disk is named after its subsystem: whichever path of it came first. */
static void find_subsystems(int subsys[MAX_MEMBERS])
{
	struct dirent *d;
	char path[PATH_MAX];
	int member, nr;
	DIR *dir;

	dir = opendir("/sys/class/nvme-subsystem");
	while (dir && (d = readdir(dir))) {
		if (sscanf(d->d_name, "nvme-subsys%d", &nr) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/class/nvme-subsystem/%s/serial",
			 d->d_name);
		if (sscanf(read_line(path), "member%d", &member) == 1 &&
		    member >= 0 && member < MAX_MEMBERS)
			subsys[member] = nr;
	}
	if (dir)
		closedir(dir);
}

/* /dev/member/0, /dev/member/0n0, /dev/member/0n1 ... */
static void link_members(int subsys[MAX_MEMBERS])
{
	char node[64], name[64];
	int i, j, tries;

	mkdir("/dev/member", 0755);
	for (i = 0; i < cfg.members; i++) {
		for (j = 0; j < cfg.namespaces; j++) {
			snprintf(node, sizeof(node), "/dev/nvme%dn%d", subsys[i], j + 1);
			for (tries = 0; access(node, F_OK); tries++) {
				if (tries == 6000)
					die("%s did not appear", node);
				usleep(5000);
			}
			snprintf(name, sizeof(name), "/dev/member/%dn%d", i, j);
			(void)!symlink(node, name);
			if (j)
				continue;
			snprintf(name, sizeof(name), "/dev/member/%d", i);
			(void)!symlink(node, name);
		}
	}
}

static void setup_members(void)
{
	int ctrl[MAX_MEMBERS];

	wait_controllers(ctrl);
	order_controllers(ctrl);
	find_subsystems(ctrl);
	link_members(ctrl);
}

/* --- the command -------------------------------------------------------- */

static int open_port(const char *name)
{
	char path[PATH_MAX];
	struct dirent *d;
	int tries, fd;
	DIR *dir;

	for (tries = 0; tries < 2000; tries++) {
		dir = opendir("/sys/class/virtio-ports");
		while (dir && (d = readdir(dir))) {
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
				 d->d_name);
			if (strcmp(read_line(path), name))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		usleep(5000);
	}
	die("no virtio port %s", name);
}

static void write_all(int fd, const char *buf, ssize_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, buf, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("virtio port: %m");
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

/* Returns 0 at the end of the pipe or, with nothing to read, -1. */
static ssize_t pump(int from, int to)
{
	static char buf[32768];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n > 0)
		write_all(to, buf, n);
	return n;
}

static char **read_command(void)
{
	static char buf[128 * 1024];
	static char *argv[4096];
	int fd = open("/rig/command", O_RDONLY), argc = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
	char *p;

	for (p = buf; p < buf + n && argc < 4095; p += strlen(p) + 1)
		argv[argc++] = p;
	if (!argc)
		die("no command");
	close(fd);
	return argv;
}

static void on_child(int sig)
{
	(void)sig;
}

/* Pipes between command and ports: a port cannot be opened twice, and
 * "echo >/dev/stderr" opens. */
static int run_command(void)
{
	int out[2], err[2], port[2], status = 0, done = 0;
	char **argv = read_command();
	struct pollfd p[2];
	struct timespec ts;
	sigset_t block, old;
	pid_t pid, reaped;
	int i;

	port[0] = open_port("stdout");
	port[1] = open_port("stderr");
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe: %m");
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	signal(SIGCHLD, on_child);

	pid = fork();
	if (pid < 0)
		die("fork: %m");
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		signal(SIGCHLD, SIG_DFL);
		sigprocmask(SIG_SETMASK, &old, NULL);
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %m\n", argv[0]);
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	p[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = err[0], .events = POLLIN };

	while (!done) {
		int st;

		ts = (struct timespec){ .tv_sec = 1 };
		ppoll(p, 2, &ts, &old);
		for (i = 0; i < 2; i++)
			if (p[i].revents && !pump(p[i].fd, port[i]))
				p[i].fd = -1;
		while ((reaped = waitpid(-1, &st, WNOHANG)) > 0) {
			if (reaped == pid) {
				status = st;
				done = 1;
			}
		}
	}
	/* What is in the pipes; a daemon left behind keeps them open. */
	for (i = 0; i < 2; i++)
		while (p[i].fd >= 0 && pump(p[i].fd, port[i]) > 0)
			;
	close(port[0]);
	close(port[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_shell(void)
{
	pid_t pid = fork();
	int fd, st;

	if (!pid) {
		setsid();
		fd = open("/dev/ttyS0", O_RDWR);
		ioctl(fd, TIOCSCTTY, 1);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		if (fd > 2)
			close(fd);
		execl("/bin/bash", "-bash", NULL);
		_exit(127);
	}
	while (waitpid(-1, &st, 0) != pid)
		;
}

static void send_gets(void)
{
	char name[16];
	int i, from, to;

	for (i = 0; i < cfg.gets; i++) {
		snprintf(name, sizeof(name), "get%d", i);
		to = open_port(name);
		from = open(cfg.get[i], O_RDONLY);
		if (from >= 0) {
			while (pump(from, to) > 0)
				;
			close(from);
		}
		close(to);
	}
}

/* --- leaks -------------------------------------------------------------- */

/* Objects younger than five seconds are not reported, and one scan may see a
 * stale pointer: age, then scan twice. */
static void report_leaks(void)
{
	char line[1024];
	int leaks = 0;
	FILE *f, *kmsg;

	if (access(KMEMLEAK, F_OK))
		return;
	sleep(6);
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "r");
	kmsg = fopen("/dev/kmsg", "w");
	if (!f || !kmsg)
		return;
	setlinebuf(kmsg);
	while (fgets(line, sizeof(line), f)) {
		leaks += !strncmp(line, "unreferenced object", 19);
		fprintf(kmsg, "<4>kmemleak: %s", line);
	}
	if (leaks)
		fprintf(kmsg, "<4>kmemleak: %d new leaks\n", leaks);
	fclose(f);
	fclose(kmsg);
}

int main(void)
{
	char text[16];
	int status, port;

	mount_all();
	read_config();
	set_environment();
	load_modules();
	setup_members();
	(void)!chdir("/root");
	say_up();
	if (cfg.shell) {
		run_shell();
		power_off();
	}
	status = run_command();
	send_gets();
	if (cfg.kmemleak)
		report_leaks();
	snprintf(text, sizeof(text), "%d\n", status);
	port = open_port("status");
	write_all(port, text, strlen(text));
	close(port);
	power_off();
}
