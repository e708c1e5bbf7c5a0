import unittest

from words import count_words


class CountWords(unittest.TestCase):
    def test_whatever_their_case(self) -> None:
        self.assertEqual(
            count_words("the crane lifts The beam"),
            [("the", 2), ("beam", 1), ("crane", 1), ("lifts", 1)],
        )


if __name__ == "__main__":
    unittest.main()
