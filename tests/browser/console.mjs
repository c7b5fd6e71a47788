// What the tests of the console do again and again.
import { kAdminToken, untilPage } from './harness.mjs';

export async function signIn(page, to, token = kAdminToken) {
  await page.goto(`${to.url}/console`);
  await page.fill('input[name=token]', token);
  await page.press('input[name=token]', 'Enter');
  await page.waitForSelector('nav');
}

export async function go(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await untilPage(
    page,
    `${hash} to be there`,
    () => document.querySelector('main h1') && !document.querySelector('main [aria-busy=true]'),
  );
}

/** The sections that this server has. */
export const views = (page) =>
  page.locator('nav a').evaluateAll((links) => links.map((one) => one.getAttribute('href')));
