// swift-tools-version: 6.2
import PackageDescription

/// Our own modules: every warning is an error, imports are internal unless they say otherwise.
let ours: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
  name: "build-snapshot",
  products: [
    .executable(name: "build-snapshot", targets: ["BuildSnapshot"]),
    .executable(name: "snapshot-controller", targets: ["SnapshotController"]),
    .library(name: "SnapshotClient", targets: ["SnapshotClient"]),
    .executable(name: "vm-browser-agent", targets: ["VMBrowserAgent"]),
    .executable(name: "vm-api-server", targets: ["VMAPIServer"]),
    // For `Benchmarks/`, a package of its own; nobody else should depend on it.
    .library(name: "Engines", targets: ["Model", "Content", "Imaging", "Verifying"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    // C libraries, as the system has them: a module map and a header each.
    .systemLibrary(
      name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

    .systemLibrary(name: "CExt2FS", pkgConfig: "ext2fs", providers: [.apt(["libext2fs-dev"])]),
    .systemLibrary(name: "CLinux"),
    // Namespaces, capabilities and seccomp: what must happen between fork and exec, where Swift may not run.
    .target(name: "CSandbox"),

    // Nouns.
    .target(name: "Model", swiftSettings: ours),
    .target(
      name: "Content",
      dependencies: [
        "Model", "CArchive", "CLinux", "CLzma", "CZstd",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),

    // Verbs: none imports another.
    .target(
      name: "Reading",
      dependencies: [
        "Model", "Content", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),
    .target(
      name: "Resolving",
      dependencies: [
        "Model", "Content", .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: ours),
    .target(
      name: "Compiling",
      dependencies: [
        "Model", "Content", .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),
    .target(name: "Fetching", dependencies: ["Model", "Content", "CCurl"], swiftSettings: ours),
    .target(
      name: "Isolation",
      dependencies: [
        "CSandbox", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),
    .target(
      name: "Assembling",
      dependencies: [
        "Model", "Content", "Isolation",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),
    .target(
      name: "Layering",
      dependencies: [
        "Model", "Content", "Isolation", "CLinux",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),
    .target(
      name: "Imaging",
      dependencies: [
        "Model", "Content", "CExt2FS", "CLinux",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),
    .target(
      name: "Publishing",
      dependencies: [
        "Model", "Content", "CLinux", .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),

    .target(
      name: "Verifying",
      dependencies: [
        "Model", "Content", "Isolation", "Terminal",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: ours),

    .target(
      name: "Pipeline",
      dependencies: [
        "Reading", "Resolving", "Compiling", "Fetching", "Isolation", "Layering", "Assembling",
        "Imaging", "Verifying", "Publishing",
      ],
      swiftSettings: ours),
    .executableTarget(
      name: "BuildSnapshot",
      dependencies: [
        "Pipeline", "Publishing", "Verifying",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: ours),

    // The other side of the catalog: what boots images. Neither imports the builder.
    .systemLibrary(
      name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(
      name: "SnapshotClient",
      dependencies: [
        "Model", "Content", "Publishing", "CLinux", "CExt2FS",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: ours),
    .executableTarget(
      name: "SnapshotController",
      dependencies: [
        "SnapshotClient", "Publishing", "Model", "Content", "AgentHTTP", "CSQLite",
        .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: ours),

    // What runs inside the image: no Foundation, a static Swift runtime.
    .target(name: "CTerminal"),
    .target(name: "Terminal", dependencies: ["CTerminal"], swiftSettings: ours),
    .target(
      name: "AgentHTTP",
      dependencies: [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: ours),
    .executableTarget(
      name: "VMBrowserAgent", dependencies: ["AgentHTTP", "Terminal"], swiftSettings: ours),
    .executableTarget(
      name: "VMAPIServer", dependencies: ["AgentHTTP", "Terminal"], swiftSettings: ours),

    // What tests share: temporary folders, golden files, seeded random numbers, a server with faults.
    .target(
      name: "Support",
      dependencies: [
        "Model", "Content", .product(name: "SystemPackage", package: "swift-system"),
      ], path: "Tests/Support",
      swiftSettings: ours),
    .testTarget(name: "ModelTests", dependencies: ["Model", "Support"], swiftSettings: ours),
    .testTarget(name: "ContentTests", dependencies: ["Content", "Support"], swiftSettings: ours),
    .testTarget(name: "ReadingTests", dependencies: ["Reading", "Support"], swiftSettings: ours),
    .testTarget(
      name: "ResolvingTests", dependencies: ["Resolving", "Content", "Support"], swiftSettings: ours
    ),
    .testTarget(
      name: "CompilingTests", dependencies: ["Compiling", "Content", "Model", "Support"],
      swiftSettings: ours),
    .testTarget(name: "FetchingTests", dependencies: ["Fetching", "Support"], swiftSettings: ours),
    // What tests run as another process, since entering a namespace replaces the program.
    .executableTarget(
      name: "NamespaceProbe", dependencies: ["Isolation"], path: "Tests/NamespaceProbe",
      swiftSettings: ours),
    .testTarget(
      name: "IsolationTests", dependencies: ["Isolation", "NamespaceProbe", "Support"],
      swiftSettings: ours),
    // Measures the installation of npm's tools against npm's own.
    .executableTarget(
      name: "InstallPair",
      dependencies: [
        "Assembling", "Resolving", "Fetching", "Content", "Model", "Support",
        .product(name: "SystemPackage", package: "swift-system"),
      ], path: "Tests/InstallPair", swiftSettings: ours),
    .testTarget(
      name: "AssemblingTests", dependencies: ["Assembling", "Resolving", "Fetching", "Support"],
      swiftSettings: ours),
    .testTarget(name: "ImagingTests", dependencies: ["Imaging", "Support"], swiftSettings: ours),
    // Publishes once, to be broken off by tests.
    .executableTarget(
      name: "PublishOnce",
      dependencies: [
        "Publishing", "Model", "Content",
        .product(name: "SystemPackage", package: "swift-system"),
      ], path: "Tests/PublishOnce", swiftSettings: ours),
    .testTarget(
      name: "PublishingTests",
      dependencies: ["Publishing", "Model", "Content", "Support", "PublishOnce"],
      swiftSettings: ours),
    .testTarget(
      name: "SnapshotClientTests",
      dependencies: ["SnapshotClient", "Publishing", "Imaging", "Model", "Content", "Support"],
      swiftSettings: ours),
    .testTarget(
      name: "SnapshotControllerTests",
      dependencies: ["SnapshotController", "Publishing", "Model", "Content", "Support"],
      swiftSettings: ours),
    .testTarget(name: "PipelineTests", dependencies: ["Pipeline", "Support"], swiftSettings: ours),
    .testTarget(
      name: "VerifyingTests", dependencies: ["Verifying", "Imaging", "Support"],
      swiftSettings: ours),
    .testTarget(name: "TerminalTests", dependencies: ["Terminal", "Support"], swiftSettings: ours),
    .testTarget(
      name: "AgentHTTPTests", dependencies: ["AgentHTTP", "Support"], swiftSettings: ours),
    .testTarget(
      name: "VMBrowserAgentTests",
      dependencies: ["VMBrowserAgent", "AgentHTTP", "Compiling", "Terminal", "Support"],
      swiftSettings: ours),
    .testTarget(
      name: "VMAPIServerTests", dependencies: ["VMAPIServer", "AgentHTTP", "Terminal", "Support"],
      swiftSettings: ours),
    .testTarget(
      name: "BuildSnapshotTests",
      dependencies: ["BuildSnapshot", "Publishing", "Model", "Support"], swiftSettings: ours),
  ],
  swiftLanguageModes: [.v6]
)
