import ContainerizationEXT4
import Foundation
import SystemPackage

// tar-to-ext4 TAR IMAGE SIZE: a plain tar as an image of at least SIZE bytes.
let arguments = CommandLine.arguments
guard arguments.count == 4, let size = UInt64(arguments[3]) else {
  fatalError("usage: tar-to-ext4 TAR IMAGE SIZE")
}
let formatter = try EXT4.Formatter(FilePath(arguments[2]), minDiskSize: size)
try await formatter.unpack(
  source: URL(fileURLWithPath: arguments[1]), format: .paxRestricted, compression: .none)
try formatter.close()
