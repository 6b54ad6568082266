// Time, as all VUs of one k6 process see it.
import exec from 'k6/execution';

// now is how long the test has run, in milliseconds with fractions.
export const now = () => exec.instance.currentTestRunDuration;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
