internal import Content
internal import Isolation
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Finds out whether programs have changed the files of packages since these were unpacked, without
/// reading all of them again: what the kernel says was not touched since need not be read.
///
/// A file that was touched is compared with its package's MD5 sum, and so is every configuration file.
/// Where anything looks wrong, `dpkg --verify` judges.
struct FileCheck {
  private let root: RootFolder
  /// The file system's time when the check began, and how far the machine's own clock was.
  private let start: timespec
  private let clock: timespec

  /// Begins: all that is in the root now is taken to be as it should be.
  init(in root: RootFolder) throws {
    self.root = root
    start = try Self.time(in: root)
    clock = Self.monotonicTime
  }

  /// What dpkg finds wrong; empty when all is well.
  func findings(in sandbox: Sandbox) throws -> [String] {
    let end = try Self.time(in: root)
    let passed = Self.monotonicTime
    // A clock that was set back hides changes: then every file is read.
    let isSteady =
      end.seconds - start.seconds > passed.seconds - clock.seconds - 0.05
      && end.seconds >= start.seconds
    if isSteady, try !isAnythingSuspect() { return [] }
    return try dpkgFindings(["--verify"], in: sandbox)
  }

  private func isAnythingSuspect() throws -> Bool {
    let folder: FilePath = "/var/lib/dpkg/info"
    for name in try root.names(in: folder) where name.string.hasSuffix(".md5sums") {
      try Task.checkCancellation()
      let text = try root.contents(of: folder.appending(name)) ?? []
      for line in text.split(separator: UInt8(ascii: "\n")) {
        guard line.count > 34, let path = ImagePath(line.dropFirst(34)),
          try isSound(path, sum: line.prefix(32), isTrustedWhenOld: true)
        else { return true }
      }
    }
    for stanza in Stanza.parse(try root.contents(of: "/var/lib/dpkg/status") ?? []) ?? [] {
      for line in (stanza.value(of: "Conffiles") ?? []).split(separator: UInt8(ascii: "\n")) {
        let words = line.split(separator: UInt8(ascii: " "))
        guard words.count == 2, let path = ImagePath(words[0]),
          try isSound(path, sum: words[1], isTrustedWhenOld: false)
        else { return true }
      }
    }
    return false
  }

  private func isSound(
    _ path: ImagePath, sum: ArraySlice<UInt8>, isTrustedWhenOld: Bool
  ) throws -> Bool {
    // What cannot be opened is suspect.
    guard let file = try? root.open(path.filePath, options: [.closeOnExec, .noFollow])
    else { return false }
    defer { close(file.rawValue) }
    var facts = stat()
    guard fstat(file.rawValue, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG
    else { return false }
    if isTrustedWhenOld, facts.st_ctim.seconds < start.seconds { return true }
    var hasher = MD5Sum()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      let count = try file.read(into: buffer)
      if count == 0 { break }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    return hasher.finish().utf8.elementsEqual(sum)
  }

  /// The time that the root's file system gives to what changes now.
  private static func time(in root: RootFolder) throws -> timespec {
    let path: FilePath = "/var/lib/dpkg/.time"
    try root.write([], to: path)
    let file = try root.open(path)
    defer { close(file.rawValue) }
    var facts = stat()
    guard fstat(file.rawValue, &facts) == 0 else { throw RootFailure("look at", path, errno) }
    try root.remove(path)
    return facts.st_ctim
  }

  private static var monotonicTime: timespec {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time
  }
}

extension timespec {
  fileprivate var seconds: Double { Double(tv_sec) + Double(tv_nsec) / 1e9 }
}
