"""The words of a text with how often each occurs, the most frequent first."""

from collections import Counter


def count_words(text: str) -> list[tuple[str, int]]:
    counts = Counter(text.lower().split())
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


if __name__ == "__main__":
    import sys

    for word, times in count_words(sys.stdin.read()):
        print(word, times)
