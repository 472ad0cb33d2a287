#include "child.h"
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

static _Noreturn void child(int report, int go, char *const arguments[], char *const environment[],
                            char *marker_value) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) csandbox_fail(report, "unshare", NULL);
  struct csandbox_report waiting = {.kind = CSANDBOX_WAITING};
  csandbox_send(report, &waiting);
  if (csandbox_await_parent(go) != 0) csandbox_fail(report, "wait for the id maps", NULL);
  if (csandbox_become(0, 0, NULL, 0) != 0) csandbox_fail(report, "become user 0", NULL);
  // A change of ids takes the request back.
  if (csandbox_die_with_parent() != 0) csandbox_fail(report, "watch the parent", NULL);
  // Also the proof that this namespace has its capabilities: some systems make it without any.
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    csandbox_fail(report, "make mounts private", NULL);
  ssize_t length = readlink("/proc/self/ns/user", marker_value, 63);
  if (length < 0) csandbox_fail(report, "read", "/proc/self/ns/user");
  marker_value[length] = 0;
  // What nohup made ignored stays so. Blocked is nothing: some programs start others with all signals
  // blocked, and these could then not be interrupted.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve("/proc/self/exe", arguments, environment);
  csandbox_fail(report, "execute", "/proc/self/exe");
}

int csandbox_namespace_start(struct csandbox_namespace *child_out, char *const arguments[],
                             char *const environment[], char *marker_value) {
  int report[2], go[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -1;
  if (pipe2(go, O_CLOEXEC) != 0) goto no_go;

  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  pid_t pid = csandbox_clone(0);
  if (pid == 0) {
    close(report[0]);
    close(go[1]);
    child(report[1], go[0], arguments, environment, marker_value);
  }
  int number = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  close(report[1]);
  if (pid > 0) {
    // The reading end stays open here too, so that writing to a dead child raises no signal.
    *child_out = (struct csandbox_namespace){
        .pid = pid, .report = report[0], .go = go[1], .go_reader = go[0]};
    return 0;
  }
  close(report[0]);
  close(go[0]);
  close(go[1]);
  errno = number;
  return -1;

no_go:;
  number = errno;
  close(report[0]);
  close(report[1]);
  errno = number;
  return -1;
}

int csandbox_namespace_go(struct csandbox_namespace *child) {
  return csandbox_send_go(child->go);
}

static volatile pid_t supervised;

static void hand_on(int number, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  // A positive code is the kernel's: the terminal has told the whole process group.
  if (info->si_code <= 0 && supervised > 0) kill(supervised, number);
  errno = saved;
}

int csandbox_supervise(pid_t pid) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
  supervised = pid;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = hand_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigset_t handled;
  sigemptyset(&handled);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    sigaddset(&handled, numbers[i]);
    struct sigaction old;
    if (sigaction(numbers[i], NULL, &old) != 0) return -1;
    if (old.sa_handler == SIG_IGN) continue;
    if (sigaction(numbers[i], &action, NULL) != 0) return -1;
  }
  sigprocmask(SIG_UNBLOCK, &handled, NULL);
  int status = csandbox_wait(pid);
  supervised = 0;
  return status;
}
