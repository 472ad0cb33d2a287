internal import Content
internal import Model
internal import SystemPackage
internal import Verifying

/// Takes what boots an image out of the packages that the lock names for it.
///
/// - Parameter folder: receives the kernel.
/// - Throws: `NotJudged` when the lock names none; `ArchiveFailure` for a package that does not read.
func bootMedia(
  of lock: Lock, for boot: Recipe.Boot, from blobs: BlobStore, into folder: FilePath
) throws -> BootMedia {
  if let kernel = boot.kernel, let initrd = boot.initrd {
    return BootMedia(kernel: FilePath(kernel), initrd: FilePath(initrd))
  }
  guard !lock.boot.isEmpty else {
    throw NotJudged(
      boot.kernel == nil
        ? "the lock names no kernel: the distribution has none for clouds"
        : "[boot] names a kernel and no initrd")
  }
  try makeFolder(folder)
  let kernel = folder.appending("vmlinuz")
  var media = BootMedia(kernel: kernel)
  var hasKernel = false
  for package in lock.boot {
    try forEachFile(of: blobs.path(of: package.deb.sha256)) { name, archive in
      let last = name.split(separator: "/").last.map(String.init) ?? ""
      if package.name == "busybox-static", name == "bin/busybox" || name == "usr/bin/busybox" {
        media.busybox = try archive.readAll(limit: 64 << 20)
      } else if name.hasPrefix("boot/vmlinuz-") {
        try writeAtomically(try archive.readAll(limit: 256 << 20), to: kernel)
        hasKernel = true
      } else if name.contains("lib/modules/"), let module = moduleName(of: last),
        BootMedia.moduleOrder.contains(module)
      {
        // Ubuntu compresses each; busybox does not undo it.
        media.modules[module] = try archive.withPlainMember { try $0.readAll(limit: 64 << 20) }
      }
    }
  }
  guard hasKernel, !media.busybox.isEmpty else {
    throw NotJudged("the packages that the lock names for booting hold no kernel or no busybox")
  }
  return media
}

/// The name of a kernel module by its file's name; nil for another file.
func moduleName(of file: String) -> String? {
  [".ko", ".ko.zst", ".ko.xz", ".ko.gz"].first(where: file.hasSuffix)
    .map { String(file.dropLast($0.count)) }
}

/// Calls `body` with each file of a deb that bears a name in `boot`, `bin` or a folder of modules.
private func forEachFile(
  of deb: FilePath, _ body: (String, inout ArchiveReader) throws -> Void
) throws {
  var outer = try ArchiveReader.open(deb)
  while let member = try outer.next() {
    guard member.path.starts(with: "data.tar".utf8) else { continue }
    try outer.withMember { archive in
      while let entry = try archive.next() {
        guard case .file = entry.kind else { continue }
        var name = String(decoding: entry.path, as: UTF8.self)
        if name.hasPrefix("./") { name.removeFirst(2) }
        try body(name, &archive)
      }
    }
    return
  }
}
