// What must run between fork and exec, where Swift may not: entering a user namespace, and starting
// a command in a sandbox. Everything that a child needs is prepared by the caller in these structs;
// the children call the kernel and nothing else.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// What a child tells its parent, once or twice, through a pipe.
struct csandbox_report {
  /// One of `csandbox_report_kind`.
  int32_t kind;
  /// `errno` of what failed, or the wait status of the command.
  int32_t number;
  /// What failed and on what, as UTF-8 that ends with NUL.
  char operation[248];
};

enum csandbox_report_kind {
  CSANDBOX_FAILED = 1,
  CSANDBOX_WAITING = 2,
  CSANDBOX_ENDED = 3,
};

/// A child that waits in new namespaces for its id maps.
struct csandbox_namespace {
  pid_t pid;
  /// Reports come from here; end of file says that the program runs.
  int report;
  /// One byte written here lets the child go on.
  int go;
  int go_reader;
};

/// Forks a child into new user and mount namespaces; it waits there for `csandbox_namespace_go`, and
/// then becomes user 0 and executes `/proc/self/exe`.
///
/// `marker` is the entry of `environment` that gets the namespace's name, such as
/// `user:[4026532000]`, from `marker_value` on; 64 bytes must have room there.
///
/// Returns 0, or -1 with errno.
int csandbox_namespace_start(struct csandbox_namespace *child, char *const arguments[],
                             char *const environment[], char *marker_value);

/// Lets the child go on once its id maps are written. Returns 0, or -1 with errno.
int csandbox_namespace_go(struct csandbox_namespace *child);

/// Waits for a child while it hands on INT, TERM, HUP and QUIT to it; those of the terminal
/// reach the child by themselves. Returns the wait status, or -1 with errno.
int csandbox_supervise(pid_t pid);

/// Asks the kernel to kill this process when its parent dies. Returns 0, or -1 with errno.
int csandbox_die_with_parent(void);

/// A folder or file of the host that shows in a sandbox.
struct csandbox_bind {
  const char *source;
  /// Absolute, in the sandbox; exists.
  const char *target;
  int is_read_only;
};

/// A command and the sandbox for it. The pointers must live until `csandbox_start` returns.
struct csandbox_plan {
  const char *root;
  const char *hostname;
  const struct csandbox_bind *binds;
  size_t bind_count;
  /// Files to try to execute, in order; ends with NULL.
  char *const *programs;
  char *const *arguments;
  char *const *environment;
  const char *folder;
  uid_t uid;
  gid_t gid;
  const gid_t *groups;
  size_t group_count;
  /// Descriptors that become 0, 1 and 2.
  int input;
  int output;
  int errors;
  /// Nonzero: the host's network, with `resolver` as /etc/resolv.conf.
  int has_network;
  const char *resolver;
  size_t resolver_length;
  /// Nonzero: 0 is the caller's terminal, and the command gets its foreground.
  int has_terminal;
  /// Nonzero: 0 is a terminal of its own, which becomes the command's controlling one.
  int has_own_terminal;
  /// Nonzero: what the command writes to the root is thrown away when it ends.
  int has_overlay;
  /// Nonzero: fsync and its kin do nothing.
  int ignores_sync;
};

/// Starts the command; `*report` is where its reports come from.
///
/// Returns the process id of the sandbox's first process, whose death ends all of them, or -1 with
/// errno.
pid_t csandbox_start(const struct csandbox_plan *plan, int *report);

/// Reads one report. Returns 1, 0 at the end of the pipe, or -1 with errno.
int csandbox_read_report(int descriptor, struct csandbox_report *report);

/// O_PATH, which headers hide from Swift: a descriptor that only names a file.
#define CSANDBOX_O_PATH 010000000

/// Opens `path` as if `folder` were the root: links in it, absolute ones too, cannot lead out of it.
/// Returns a descriptor, or -1 with errno.
int csandbox_open_in_root(int folder, const char *path, int flags, mode_t mode);

/// A nameless file that holds `bytes`, read from its start. Returns a descriptor, or -1 with errno.
int csandbox_file_of(const void *bytes, size_t count);

/// Waits for a process, whatever interrupts. Returns the wait status, or -1 with errno.
int csandbox_wait(pid_t pid);

/// The environment of this process: `NAME=value` entries that end with NULL.
char *const *csandbox_environment(void);

/// A new terminal of this size: our side, which does not block, and the one for a program. Returns 0,
/// or -1 with errno.
int csandbox_terminal(unsigned short rows, unsigned short columns, int ends[2]);

/// A pipe that children do not inherit: its reading and its writing end. Returns 0, or -1 with errno.
int csandbox_pipe(int ends[2]);
