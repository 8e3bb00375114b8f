extension ErrorGuide {
  /// What the record and the graph say.
  static let record: [Entry] = [
    Entry(
      "store.stalled",
      "The disk has not answered a commit for more than five seconds. Control goes on; nothing is written to "
        + "the plant, for nothing can be recorded.", "Read the kernel's log (dmesg) for errors of the device."),
    Entry(
      "store.damaged",
      "Bodies of the record do not match their checksums. They are left alone; everything else is readable.",
      "twinctl data verify names them; what a peer has of them can be fetched again."),
    Entry(
      "store.upkeep", "What is in the log cannot be put away in day files. Nothing is lost; a start takes longer.",
      "Look at the cause that the problem names; it is tried again every second."),
    Entry(
      "store.not_allowed", "The pack does not let these values leave the site.",
      "Their owner writes data: {export: raw} in the pack, and signs it."),
    Entry(
      "store.out_of_order", "Something was to be recorded before what is there already.",
      "Report the message together with the version of twind."),
    Entry("store.not_a_store", "The folder holds something else than a site's record.", "Check --state."),
    Entry(
      "store.cannot_open", "The record cannot be opened.", "Check --state, and that your user may enter the folder."),
    Entry(
      "export.not_allowed", "Samples of a point that you named may not leave the site.",
      "Leave it out; or its owner writes data: {export: raw} in the pack, and signs it."),
    Entry("export.nothing", "None of the points may leave.", "twinctl data explain POINT says what the pack allows."),
    Entry("export.too_many", "A day holds more samples of a point than are exported at once.", "Use --from and --to."),
    Entry("export.stopped", "The export was stopped; no file was made.", "Start it again."),
    Entry("graph.cycle", "Edges run in a circle where none may be.", "Take one edge of the path out."),
    Entry("graph.two_parents", "A node would have two parents in one tree.", "Keep one of the two edges."),
    Entry("graph.dangling_edge", "An edge names a node that is not there.", "Declare the node, or correct the name."),
    Entry(
      "graph.dangling_reference", "A property names a node that is not there.", "Declare the node, or correct the name."
    ),
    Entry(
      "graph.wrong_type", "An edge may not begin or end at a node of that type.", "docs/ontology.md lists which may."),
    Entry("graph.duplicate_node", "A node is given twice.", "Rename one of the two."),
    Entry("graph.bad_name", "That is no name of a node.", "Begin with a letter a-z; go on with a-z, 0-9, - and _."),
    Entry("graph.unknown_property", "The type has no such property.", "docs/ontology.md lists them."),
    Entry(
      "graph.missing_property", "A property that the type needs is not there.", "docs/ontology.md says what it is."),
    Entry("graph.wrong_property", "A property's value is of another kind.", "docs/ontology.md says which kind."),
    Entry(
      "graph.wrong_unit", "A property's unit measures something else.",
      "docs/ontology.md says in which unit it is kept."),
    Entry(
      "graph_store.disk_full", "The graph's change finds no room.", "Free space on the volume of the state folder."),
    Entry("graph_store.corrupt", "graph.db is damaged.", "Stop twind, move it aside, and let the pack seed it again."),
    Entry(
      "graph_store.newer_version", "graph.db was written by a newer release.", "Run that release; nothing was touched."),
    Entry(
      "graph_store.cannot_open", "The graph cannot be opened.",
      "Check --state, and that your user may enter the folder."),
  ]
}
