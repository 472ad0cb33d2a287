internal import Foundation
internal import SystemPackage

/// Downloads a wheel and links some of its programs into a folder `bin`.
///
/// - Parameters:
///   - wheel: name and version, as `pip` takes them.
///   - programs: name in `bin`, and path in the wheel.
public func unpackPrograms(of wheel: String, _ programs: [String: String]) throws -> TemporaryFolder
{
  let folder = try TemporaryFolder()
  let download = [
    "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--dest",
    (folder / "wheels").string, wheel,
  ]
  _ = try runTool("python3", download).succeeded()
  for name in try FileManager.default.contentsOfDirectory(atPath: (folder / "wheels").string) {
    let file = (folder / "wheels").appending(name).string
    _ = try runTool("python3", ["-m", "zipfile", "-e", file, (folder / "unpacked").string])
      .succeeded()
  }
  try FileManager.default.createDirectory(
    atPath: (folder / "bin").string, withIntermediateDirectories: true)
  for (name, target) in programs {
    let path = (folder / "unpacked/\(target)").string
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    try FileManager.default.createSymbolicLink(
      atPath: (folder / "bin/\(name)").string, withDestinationPath: path)
  }
  return folder
}
