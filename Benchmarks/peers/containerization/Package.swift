// swift-tools-version: 6.2
import PackageDescription

// The formatter of apple/containerization as a program, to be measured against.
let package = Package(
  name: "tar-to-ext4",
  platforms: [.macOS("15.0")],
  dependencies: [.package(url: "https://github.com/apple/containerization", from: "0.40.0")],
  targets: [
    .executableTarget(
      name: "tar-to-ext4",
      dependencies: [.product(name: "ContainerizationEXT4", package: "containerization")])
  ]
)
