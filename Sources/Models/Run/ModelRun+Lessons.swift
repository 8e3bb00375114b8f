extension ModelRun {
  /// What the step just taken taught of one forecast: what the forecast was made from, and how the physics alone erred
  /// in it. Nil where there was no forecast, or no reading. Allocates: for training, which gathers statistics of it.
  public func lesson(output: Int, horizon place: Int) -> (regressors: [Double], residual: Double)? {
    let reading = scratch.outputs[output]
    let cell = output * book.horizons.count + place
    guard reading.isFinite, let issued = regressors.find(cell: cell, at: step - Int64(book.horizons[place])) else {
      return nil
    }
    let row = unsafe regressors.withRow(at: issued.base) { unsafe Array($0) }
    return (row, reading - issued.physics)
  }
}
