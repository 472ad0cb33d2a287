internal import Glibc
public import SystemPackage

/// Folders that show as one, by the kernel's overlay file system: in a user namespace, without root.
///
/// What is written goes into the upper folder; those below stay as they are. The mount is seen by this
/// process and its children, and is gone with its mount namespace, however that ends.
public enum Overlay {
  /// - Parameters:
  ///   - lowers: the topmost first; none of them changes.
  ///   - upper: an empty folder that takes what changes; nil: nothing can change.
  ///   - work: an empty folder beside `upper`.
  ///   - target: the folder in which it shows.
  public static func mount(
    _ lowers: [FilePath], upper: FilePath? = nil, work: FilePath? = nil, at target: FilePath
  ) throws(IsolationFailure) {
    var folders: [Int32] = []
    defer { for folder in folders { close(folder) } }
    // By descriptors: names of folders may have the characters that part the options, and a page holds
    // all of them.
    func option(_ path: FilePath) throws(IsolationFailure) -> String {
      let folder = open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard folder >= 0 else { throw .refused(operation: "open '\(path)'", code: errno) }
      folders.append(folder)
      return "/proc/self/fd/\(folder)"
    }
    // Attributes of the kind 'user', since only the machine's root may set the others; with them no folder is
    // renamed by a note, since such a note means nothing elsewhere.
    var options = "userxattr,index=off,lowerdir="
    options += try lowers.map { path throws(IsolationFailure) in try option(path) }
      .joined(separator: ":")
    if let upper, let work {
      // Nobody needs it after a crash: then it is built again.
      options += ",volatile,upperdir=\(try option(upper)),workdir=\(try option(work))"
    }
    let flags = UInt(MS_NOSUID | MS_NODEV)
    guard Glibc.mount("overlay", target.string, "overlay", flags, options) == 0
    else { throw .refused(operation: "show layers in '\(target)'", code: errno) }
  }

  /// Shows a folder at another place as well.
  public static func bind(_ folder: FilePath, at target: FilePath) throws(IsolationFailure) {
    guard Glibc.mount(folder.string, target.string, nil, UInt(MS_BIND), nil) == 0
    else { throw .refused(operation: "show '\(folder)' in '\(target)'", code: errno) }
  }

  /// Takes a mount away, also where something in it is still open.
  public static func unmount(_ target: FilePath) throws(IsolationFailure) {
    guard umount2(target.string, Int32(MNT_DETACH)) == 0
    else { throw .refused(operation: "take away the layers in '\(target)'", code: errno) }
  }

  /// Why layers cannot be used in a folder of the host; nil when they can. Tries it there.
  public static func obstacle(in folder: FilePath) -> String? {
    let trial = folder.appending("overlay-trial")
    let parts = ["lower", "upper", "work", "root"].map { trial.appending($0) }
    for part in [trial] + parts where mkdir(part.string, 0o700) != 0 && errno != EEXIST {
      return "cannot make '\(part)': \(message(of: errno))"
    }
    defer { for part in parts.reversed() + [trial] { removeFolder(part) } }
    do throws(IsolationFailure) {
      // A folder below, so that what is tried is a folder that is copied up.
      mkdir(parts[0].appending("folder").string, 0o755)
      try mount([parts[0]], upper: parts[1], work: parts[2], at: parts[3])
      defer { umount2(parts[3].string, Int32(MNT_DETACH)) }
      let inner = parts[3].appending("folder").appending("inner").string
      guard mkdir(inner, 0o755) == 0, chown(inner, 1, 1) == 0, rmdir(inner) == 0,
        rmdir(parts[3].appending("folder").string) == 0
      else { return "cannot write into layers: \(message(of: errno))" }
      return nil
    } catch { return "\(error)" }
  }

  private static func removeFolder(_ path: FilePath) {
    if let stream = opendir(path.string) {
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name == "." || name == ".." { continue }
        let child = path.appending(name)
        if unlink(child.string) != 0 { removeFolder(child) }
      }
      closedir(stream)
    }
    rmdir(path.string)
  }
}
