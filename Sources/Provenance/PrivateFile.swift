import Glibc

/// Small files that are seen whole or not at all, and that the umask does not open to others.
public enum PrivateFile {
  /// Flushed before it has its name; replaces an older one. Fault: `provenance.io`.
  public static func write(_ bytes: [UInt8], directory: String, name: String, mode: UInt32 = 0o600)
    throws(ProvenanceFault)
  {
    try Descriptor.directory(directory).place(
      name, bytes, mode: mode, replacing: true, shown: "\(directory)/\(name)")
  }

  /// Makes a directory for them, mode 0700, unless it is there. Its parent must exist.
  public static func makeDirectory(_ path: String) throws(ProvenanceFault) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("create", path) }
  }
}
