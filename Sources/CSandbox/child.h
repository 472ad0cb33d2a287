// Shared by the children: what may be called between fork and exec.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "include/csandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Reports a failure and ends the child.
_Noreturn void csandbox_fail(int report, const char *operation, const char *name);

/// Writes a report; what cannot be written has nobody who reads it.
void csandbox_send(int report, const struct csandbox_report *message);

/// Gives every signal its default action and unblocks all.
void csandbox_reset_signals(void);

/// fork without libc's handlers, which may wait for locks that other threads held; `flags` are
/// namespaces to make.
static inline pid_t csandbox_clone(unsigned long flags) {
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

/// Keeps only the descriptors of `kept` and `0`, `1`, `2`.
int csandbox_close_others(const int *kept, size_t count);

/// Ids by system calls: libc's functions would signal threads that this child does not have.
int csandbox_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count);

/// Lets the kernel kill this process with its parent, and gives up if the parent is gone: `go`
/// is the reading end of a pipe into which the parent writes one byte.
int csandbox_await_parent(int go);

/// Writes the byte that `csandbox_await_parent` waits for. Returns 0, or -1 with errno.
int csandbox_send_go(int go);

/// Writes into `code` a filter that lets only harmless system calls through; returns its length.
struct sock_filter;
size_t csandbox_filter(struct sock_filter *code, size_t room, int ignores_sync);
