/** The same work, done once for each object: for what depends on that object alone, which nobody changes. */
export function onceFor<Subject extends object, Result extends object>(
  work: (subject: Subject) => Result,
): (subject: Subject) => Result {
  const results = new WeakMap<Subject, Result>();
  return (subject) => {
    let result = results.get(subject);
    if (!result) {
      result = work(subject);
      results.set(subject, result);
    }
    return result;
  };
}
