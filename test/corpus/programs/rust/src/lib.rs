//! The words of a text with how often each occurs, the most frequent first.

use std::collections::BTreeMap;

pub fn count_words(text: &str) -> Vec<(String, usize)> {
    let mut times = BTreeMap::new();
    for word in text.split_whitespace() {
        *times.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = times.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1));
    counts
}

#[test]
fn counts_words_whatever_their_case() {
    let found = count_words("the crane lifts The beam");
    let wanted = [("the", 2), ("beam", 1), ("crane", 1), ("lifts", 1)];
    assert_eq!(found, wanted.map(|(word, times)| (word.to_owned(), times)));
}
