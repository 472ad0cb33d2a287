// Calls of Linux that the C library declares only under _GNU_SOURCE, which Swift does not set.
#pragma once
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

// fcntl(2): locks that belong to an open file description.
enum { clinux_ofd_setlk = 37, clinux_ofd_setlkw = 38 };

extern int renameat2(int, const char *, int, const char *, unsigned int);

// Renames and fails with EEXIST where the new name exists, even as an empty folder.
static inline int clinux_rename_new(const char *from, const char *to) {
  return renameat2(-100 /* AT_FDCWD */, from, -100, to, 1 /* RENAME_NOREPLACE */);
}

// lseek(2): where the next data or the next hole of a file starts.
enum { clinux_seek_data = 3, clinux_seek_hole = 4 };

// memfd_create(2): a file in memory without a name, closed on exec.
static inline int clinux_memory_file(const char *name) {
  return (int)syscall(SYS_memfd_create, name, 1 /* MFD_CLOEXEC */);
}

// ioctl(2) FICLONE: makes a file share all blocks of another.
static inline int clinux_clone(int to, int from) {
  return (int)syscall(SYS_ioctl, to, 0x40049409, from);
}

// fallocate(2): makes a range of a file zero and gives its blocks back.
static inline int clinux_punch_hole(int file, long offset, long length) {
  return (int)syscall(SYS_fallocate, file, 3 /* KEEP_SIZE | PUNCH_HOLE */, offset, length);
}

// Waits until everything of a file system is on the disk.
static inline int clinux_sync_file_system(int file) { return (int)syscall(SYS_syncfs, file); }

// Asks the kernel to begin writing a range of a file to the disk, and does not wait.
static inline void clinux_start_writeback(int file, long offset, long length) {
#ifdef SYS_sync_file_range
  syscall(SYS_sync_file_range, file, offset, length, 2 /* SYNC_FILE_RANGE_WRITE */);
#endif
}

// Asks the file system to put each folder that is made in this one into another part of the disk.
//
// ext4 makes new inodes beside those of the parent folder, and passes over each one that was removed
// there in the last five minutes: making a tree where one of the same size has just been removed takes
// time that grows with the square of the number of files. Does nothing on other file systems.
static inline void clinux_spread_folders(const char *path) {
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  int flags = 0;
  if (ioctl(folder, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
    flags |= FS_TOPDIR_FL;
    ioctl(folder, FS_IOC_SETFLAGS, &flags);
  }
  close(folder);
}
