import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The words of a text with how often each occurs, the most frequent first. */
public final class Words {
    private Words() {}

    public static Map<String, Integer> count(String text) {
        Map<String, Integer> times = new TreeMap<>();
        for (String word : text.toLowerCase(Locale.ROOT).trim().split("\\s+")) times.merge(word, 1, Integer::sum);
        Map<String, Integer> sorted = new LinkedHashMap<>();
        times.entrySet().stream()
            .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
            .forEach(entry -> sorted.put(entry.getKey(), entry.getValue()));
        return sorted;
    }
}
