// When messages arrive at a sender. Each function returns one that takes a time
// (of now(), ms) and returns that of the next arrival.

// poisson: independently of each other, `perSecond` on average; a number, or a
// function of the time.
export function poisson(perSecond) {
  const rate = typeof perSecond === 'function' ? perSecond : () => perSecond;
  return (t) => {
    // By steps no longer than a tenth of a second, so that a rate which rises is
    // followed. What is left of the draw is carried over from step to step.
    const STEP = 100;
    let draw = -Math.log(1 - Math.random());
    for (let at = t; ; at += STEP) {
      const perStep = (rate(at) * STEP) / 1000;
      if (draw <= perStep) return at + (draw / perStep) * STEP;
      draw -= perStep;
      if (at > t + 3_600_000) return Infinity; // there is none to come
    }
  };
}

// shape: a rate that goes from point to point, [[ms, perSecond], …], in straight lines.
export function shape(points) {
  return (t) => {
    if (t <= points[0][0]) return points[0][1];
    for (let i = 1; i < points.length; i += 1) {
      const [[t0, r0], [t1, r1]] = [points[i - 1], points[i]];
      if (t <= t1) return r0 + ((r1 - r0) * (t - t0)) / (t1 - t0);
    }
    return points[points.length - 1][1];
  };
}
