#include "child.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the system call filter does not know this architecture"
#endif

#define NAMESPACES                                                                     \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |       \
   CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

// Newer than some headers.
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define OPEN_TREE_ATTRIBUTES 467

/// Refused with EPERM: what changes the machine, looks at other processes, or is a known way out.
static const int refused[] = {
    // Mounts and file handles.
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig,
    SYS_fsmount, SYS_fspick, SYS_mount_setattr, OPEN_TREE_ATTRIBUTES, SYS_open_by_handle_at,
    SYS_quotactl, SYS_quotactl_fd, SYS_swapon, SYS_swapoff, SYS_fanotify_init,
    // The kernel.
    SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot, SYS_acct,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_syslog,
    // Keys are not divided by namespaces.
    SYS_keyctl, SYS_add_key, SYS_request_key,
    // Names and clocks.
    SYS_sethostname, SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime,
    SYS_adjtimex, SYS_setns,
    // Other processes.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef __x86_64__
    SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_vhangup,
#endif
};

/// Refused with ENOSYS, since callers then take the older call, whose arguments can be seen.
static const int unknown[] = {SYS_clone3, SYS_io_uring_setup, SYS_io_uring_enter,
                              SYS_io_uring_register};

/// Answered with success and not done: the tree can be thrown away until it is an image.
static const int synchronising[] = {SYS_fsync,  SYS_fdatasync,       SYS_sync,
                                    SYS_syncfs, SYS_sync_file_range, SYS_msync};

struct writer {
  struct sock_filter *code;
  size_t room;
  size_t length;
};

static void emit(struct writer *writer, struct sock_filter instruction) {
  if (writer->length < writer->room) writer->code[writer->length] = instruction;
  writer->length++;
}

#define LOAD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define EQUAL(value, yes, no) \
  (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define ANY_BIT(value, yes, no) \
  (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(value), yes, no)
#define RETURN(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(value))
#define ERROR_OF(number) (SECCOMP_RET_ERRNO | (number))

static void answer(struct writer *writer, const int *calls, size_t count, uint32_t action) {
  for (size_t i = 0; i < count; i++) {
    emit(writer, EQUAL(calls[i], 0, 1));
    emit(writer, RETURN(action));
  }
}

/// Refuses a call when the low half of an argument has any of `bits`, or equals one of `values`.
static void refuse_argument(struct writer *writer, int call, int argument, uint32_t bits,
                            const uint32_t *values, size_t count) {
  // Both of our architectures are little-endian: the low half comes first.
  size_t offset = offsetof(struct seccomp_data, args) + 8 * (size_t)argument;
  size_t body = 1 + (bits ? 2 : 0) + 2 * count + 1;
  emit(writer, EQUAL(call, 0, (uint8_t)body));
  emit(writer, LOAD(offset));
  if (bits) {
    emit(writer, ANY_BIT(bits, 0, 1));
    emit(writer, RETURN(ERROR_OF(EPERM)));
  }
  answer(writer, (const int *)values, count, ERROR_OF(EPERM));
  emit(writer, RETURN(SECCOMP_RET_ALLOW));
}

size_t csandbox_filter(struct sock_filter *code, size_t room, int ignores_sync) {
  struct writer writer = {.code = code, .room = room};
  emit(&writer, LOAD(offsetof(struct seccomp_data, arch)));
  emit(&writer, EQUAL(OUR_ARCHITECTURE, 1, 0));
  emit(&writer, RETURN(SECCOMP_RET_KILL_PROCESS));
  emit(&writer, LOAD(offsetof(struct seccomp_data, nr)));
#ifdef __x86_64__
  // x32: other numbers for the same calls.
  emit(&writer, ANY_BIT(0x40000000, 0, 1));
  emit(&writer, RETURN(ERROR_OF(ENOSYS)));
#endif
#define COUNT(list) (sizeof list / sizeof *list)
  answer(&writer, refused, COUNT(refused), ERROR_OF(EPERM));
  answer(&writer, unknown, COUNT(unknown), ERROR_OF(ENOSYS));
  if (ignores_sync) answer(&writer, synchronising, COUNT(synchronising), ERROR_OF(0));
  refuse_argument(&writer, SYS_unshare, 0, NAMESPACES, NULL, 0);
  // CLONE_NEWTIME shares its bit with the exit signal, and clone does not take it.
  refuse_argument(&writer, SYS_clone, 0, NAMESPACES & ~(uint32_t)CLONE_NEWTIME, NULL, 0);
  // Typing into a terminal that is shared with the caller.
  static const uint32_t typing[] = {TIOCSTI, 0x541C /* TIOCLINUX */};
  refuse_argument(&writer, SYS_ioctl, 1, 0, typing, COUNT(typing));
  // Sockets that are not divided by network namespaces.
  static const uint32_t families[] = {AF_VSOCK, AF_ALG};
  refuse_argument(&writer, SYS_socket, 0, 0, families, COUNT(families));
  emit(&writer, RETURN(SECCOMP_RET_ALLOW));
  return writer.length;
}
