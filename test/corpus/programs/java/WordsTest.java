public final class WordsTest {
    public static void main(String[] args) {
        String counted = Words.count("the crane lifts The beam").toString();
        assert counted.equals("{the=2, beam=1, crane=1, lifts=1}") : counted;
        System.out.println("WordsTest passed: " + counted);
    }
}
