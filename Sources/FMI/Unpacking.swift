import Glibc

extension FMI {
  /// Unpacks a .fmu with the program `unzip` into a folder that does not exist yet; whoever asked removes it.
  ///
  /// Errors: `fmi.not_unpacked`.
  public static func unpack(_ path: String, into folder: String) throws(FMIFault) {
    guard unsafe mkdir(folder, 0o700) == 0 else {
      throw .notUnpacked(path, "the folder \(folder) is there already, or cannot be made")
    }
    // -qq: no word; -n: nothing is overwritten; names that lead out of the folder unzip refuses by itself.
    let words = ["unzip", "-qq", "-n", "--", path, "-d", folder]
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var child = pid_t()
    let started = unsafe posix_spawnp(&child, "unzip", nil, nil, &arguments, environ)
    guard started == 0 else { throw .notUnpacked(path, "unzip cannot be started (\(started))") }
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { throw .notUnpacked(path, "unzip is gone") }
    }
    guard status == 0 else { throw .notUnpacked(path, "unzip came to \(status >> 8 & 0xFF)") }
  }
}
