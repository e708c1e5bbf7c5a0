const prices = { apple: 3, pear: 4 };

/** The price of a fruit in yuan; of what is not sold, none. */
export function priceOf(fruit) {
  return Object.hasOwn(prices, fruit) ? prices[fruit] : undefined;
}
