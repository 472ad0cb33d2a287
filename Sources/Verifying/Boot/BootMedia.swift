public import SystemPackage

/// A kernel to boot images with, and what its first root is made of.
public struct BootMedia: Sendable {
  /// The kernel's file.
  public var kernel: FilePath
  /// An initrd that was brought along; nil makes one of the rest.
  public var initrd: FilePath?
  /// Modules by their names, such as `virtio_blk`.
  public var modules: [String: [UInt8]]
  /// A static busybox.
  public var busybox: [UInt8]

  public init(
    kernel: FilePath, initrd: FilePath? = nil, modules: [String: [UInt8]] = [:],
    busybox: [UInt8] = []
  ) {
    self.kernel = kernel
    self.initrd = initrd
    self.modules = modules
    self.busybox = busybox
  }

  /// What an initrd loads, in an order in which each finds what it needs; one that is missing is
  /// built into the kernel.
  public static let moduleOrder = [
    "failover", "net_failover", "virtio_ring", "virtio", "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net",
    "virtio_console", "rng-core", "virtio-rng", "crc16", "mbcache", "jbd2", "crc32c-intel", "ext4",
  ]

  /// The first root of a machine under test: also puts the probe where only memory has it.
  func initrd(probe: Probe) -> [UInt8] { initrd(adding: probe.files) }

  /// The first root of a machine in service: loads the modules, mounts the image, hands over.
  public func initrdForService() -> [UInt8] { initrd(adding: []) }

  private func initrd(adding probe: [(String, String)]) -> [UInt8] {
    var cpio = CpioWriter()
    for folder in ["bin", "dev", "proc", "sys", "sysroot", "modules"] {
      cpio.folder(folder)
    }
    cpio.file("bin/busybox", busybox)
    cpio.file("init", Array(Self.initScript.utf8))
    for (index, name) in Self.moduleOrder.enumerated() {
      guard let module = modules[name] else { continue }
      cpio.file("modules/\(index + 10)-\(name).ko", module, mode: 0o644)
    }
    if !probe.isEmpty { cpio.folder("probe") }
    for (name, text) in probe { cpio.file("probe/\(name)", Array(text.utf8)) }
    return cpio.finish()
  }

  private static let initScript = """
    #!/bin/busybox sh
    B=/bin/busybox
    $B mount -t proc proc /proc
    $B mount -t sysfs sysfs /sys
    $B mount -t devtmpfs devtmpfs /dev
    for pass in 1 2; do
      for m in /modules/*.ko; do [ -f $m ] && $B insmod $m 2>/dev/null && $B rm $m; done
    done
    root=/dev/vda; how=ro
    for word in $($B cat /proc/cmdline); do
      case $word in root=*) root=${word#root=};; rw) how=rw;; esac
    done
    n=0
    while ! [ -b $root ] && [ $n -lt 100 ]; do $B usleep 50000; n=$((n+1)); done
    if ! [ -b $root ]; then echo "golden-init: no root device '$root'" > /dev/console; exit 1; fi
    if ! $B mount -t ext4 -o $how $root /sysroot; then
      echo "golden-init: cannot mount '$root'" > /dev/console; exit 1
    fi
    if ! [ -x /sysroot/sbin/init ] && ! [ -L /sysroot/sbin/init ]; then
      echo "golden-init: no /sbin/init in the image" > /dev/console; exit 1
    fi
    $B mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /sysroot/run
    if [ -d /probe ]; then
      $B mkdir -p /sysroot/run/golden /sysroot/run/systemd/system/basic.target.wants
      $B cp -a /bin/busybox /probe/. /sysroot/run/golden/
      $B cp /probe/golden-verify.service /sysroot/run/systemd/system/
      $B ln -s ../golden-verify.service /sysroot/run/systemd/system/basic.target.wants/
      $B ln -s /dev/null /sysroot/run/systemd/system/serial-getty@hvc0.service
    fi
    $B mount --move /dev /sysroot/dev
    $B umount /sys
    $B umount /proc
    exec $B switch_root /sysroot /sbin/init

    """
}
